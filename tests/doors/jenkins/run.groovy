// run.groovy LIBRARY WORKSPACE RESULT SCRIPT WINDOWS: run a pipeline's script with the steps of the library, on the Groovy that
// Jenkins runs. The steps are stand-ins that really do what Jenkins' do: sh runs the shell, writeFile writes.
// WINDOWS describes an agent with Windows, whose drive D: is a folder here; it holds {} for an agent that is this machine.
import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic
import java.util.regex.Matcher
import org.codehaus.groovy.control.CompilerConfiguration

abstract class Pipeline extends Script {

    static String library
    static File workspace
    static List log = [].asSynchronized()
    static ThreadLocal<List> overrides = new InheritableThreadLocal<List>() {
        @Override protected List initialValue() { return [] }
        @Override protected List childValue(List parent) { return new ArrayList(parent) }
    }
    static GroovyShell shell
    static Map windows

    // A file of vars/ is a step.
    def methodMissing(String name, Object args) {
        File file = new File(library, "vars/${name}.groovy")
        if (!file.exists()) { throw new MissingMethodException(name, this.class, args as Object[]) }
        return shell.parse(file).invokeMethod('call', args)
    }

    def node(Closure body) { return body() }
    void checkout(Object source) {}
    Object getScm() { return null }
    boolean isUnix() { return !windows }
    String pwd(Map options) {
        File folder = options.tmp ? new File(workspace.path + '@tmp') : workspace
        folder.mkdirs()
        return nameOf(folder)
    }
    void error(String text) { throw new IllegalStateException("error: ${text}") }
    void unstable(String text) { log << [unstable: text] }
    void echo(String text) { log << [echo: text] }
    // Without an encoding Jenkins takes the platform's, which may know few letters.
    String libraryResource(Map options) {
        return new File(library, "resources/${options.resource}").getText(options.encoding ?: 'US-ASCII')
    }
    String libraryResource(String path) { return libraryResource(resource: path) }
    void writeFile(Map options) { at(options.file).setText(options.text, options.encoding ?: 'US-ASCII') }
    String readFile(Map options) { return at(options.file).getText(options.encoding ?: 'US-ASCII') }
    boolean fileExists(String path) { return at(path).exists() }
    void parallel(Map branches) {
        List threads = branches.collect { name, body ->
            Thread.start(name) {
                try { body() } catch (Throwable caught) { log << [failed: name, why: caught.toString()] }
            }
        }
        threads*.join()
    }

    // As EnvVars.overrideExpandingAll of Jenkins: $NAME, ${NAME} and $$ in values; NAME+ANY goes in front.
    def withEnv(List given, Closure body) {
        List before = overrides.get()
        Map now = environment()
        List mine = []
        given.each { text ->
            int at = text.toString().indexOf('=')
            String name = text.toString().substring(0, at)
            String value = text.toString().substring(at + 1).replaceAll(/\$([A-Za-z0-9_]+|\{[A-Za-z0-9_.]+\}|\$)/) { all, key ->
                String plain = key.replaceAll(/[{}]/, '')
                key == '$' ? '$' : (now.containsKey(plain) ? now[plain] : all)
            }
            if (name.contains('+')) {
                name = name.substring(0, name.indexOf('+'))
                value = value + (isUnix() ? ':' : ';') + now[name]
            }
            mine << [name, value]
        }
        overrides.set(before + mine)
        try { return body() } finally { overrides.set(before) }
    }

    def sh(Map options) {
        File script = File.createTempFile('script', '.sh')
        script.setText(options.script, 'UTF-8')
        // A script with a first line of its own is run by that; Jenkins runs all others with -xe.
        List command = options.script.startsWith('#!') ? ['/bin/sh', script.path] : ['/bin/sh', '-xe', script.path]
        ProcessBuilder builder = new ProcessBuilder(command)
        builder.directory(workspace)
        builder.redirectErrorStream(true)
        builder.environment().clear()
        builder.environment().putAll(environment())
        Process process = builder.start()
        process.outputStream.close()
        String output = process.inputStream.getText('UTF-8')
        int code = process.waitFor()
        script.delete()
        log << [sh: output]
        if (options.returnStatus) { return code }
        if (code != 0) { throw new IllegalStateException("script returned exit code ${code}") }
        return options.returnStdout ? output : null
    }
    def sh(String script) { return sh(script: script) }

    // cmd gets the script in a file, with the line ends of Windows.
    def bat(Map options) {
        File request = File.createTempFile('request', '.json', new File(windows.drive))
        File script = new File(request.path + '.bat')
        script.setText(options.script.replaceAll(/\r?\n/, '\r\n'), 'UTF-8')
        Map asked = [environment: environment(), folder: nameOf(workspace), script: nameOf(script)]
        request.setText(JsonOutput.toJson(asked), 'UTF-8')
        Process process = new ProcessBuilder(windows.command + nameOf(request)).redirectErrorStream(true).start()
        process.outputStream.close()
        String output = process.inputStream.getText('UTF-8')
        int code = process.waitFor()
        script.delete()
        request.delete()
        log << [bat: output]
        if (options.returnStatus) { return code }
        if (code != 0) { throw new IllegalStateException("script returned exit code ${code}") }
        return null
    }
    def bat(String script) { return bat(script: script) }

    private Map environment() {
        Map found = new HashMap(windows ? windows.variables : System.getenv())
        overrides.get().each { name, value -> found[name] = value }
        return found
    }
    private String nameOf(File file) {
        return isUnix() ? file.path : 'D:' + file.path.substring(windows.drive.length()).replace('/', '\\')
    }
    private File at(String path) {
        if (!isUnix()) {
            String local = path.replace('\\', '/')
            return local.startsWith('D:/') ? new File(windows.drive, local.substring(3)) : new File(workspace, local)
        }
        File file = new File(path)
        return file.absolute ? file : new File(workspace, path)
    }

}

def (library, workspace, result, script, windows) = args as List
Pipeline.library = library
Pipeline.workspace = new File(workspace)
Pipeline.windows = new JsonSlurperClassic().parse(new File(windows), 'UTF-8')
CompilerConfiguration configuration = new CompilerConfiguration(scriptBaseClass: Pipeline.name, sourceEncoding: 'UTF-8')
configuration.setClasspathList(["${library}/src".toString(), System.getProperty("stubs")])
Pipeline.shell = new GroovyShell(this.class.classLoader, new Binding(), configuration)
Map ended = [:]
try {
    Object value = Pipeline.shell.parse(new File(script)).run()
    // What a pipeline keeps in a variable has to outlive a restart of Jenkins.
    new ObjectOutputStream(new ByteArrayOutputStream()).writeObject(value)
    ended.value = value
} catch (IllegalStateException caught) {
    ended.error = caught.message
}
new File(result).setText(JsonOutput.toJson(ended + [log: Pipeline.log, groovy: GroovySystem.version]), 'UTF-8')
