/**
 * Install as safeInstall does, and run the block with the environment on PATH.
 *
 * @return what the block returns
 */
def call(Map inputs = [:], Closure body) {
    Map report = safeInstall(inputs)
    if (report.outcome != 'done') {
        return null
    }
    List variables = []
    if (report.outputs.venv) {
        // withEnv replaces $NAME in values; two of them are one.
        variables.add('VIRTUAL_ENV=' + report.outputs.venv.replace('$', '$$'))
        variables.add('PATH+SAFEINSTALL=' + report.outputs.bin.replace('$', '$$'))
    }
    return withEnv(variables) {
        body()
    }
}
