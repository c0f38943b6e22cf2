package org.safeinstall

import com.cloudbees.groovy.cps.NonCPS
import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic

/** Runs `ci-install door jenkins` on the agent at hand, and reads its report. */
class Door implements Serializable {

    private static final long serialVersionUID = 1L
    // Of the step alone; all others are inputs of every door.
    private static final List OWN = ['source', 'onFailure']
    private static final List ENDS = ['error', 'unstable', 'ignore']
    private final Object steps
    private final Map known

    /**
     * @param steps the script that the steps belong to
     * @param known the variable of each input, by its name
     */
    Door(Object steps, Map known) {
        this.steps = steps
        this.known = known
    }

    /** Install; return the report with the outputs in it. */
    Map install(Map inputs) {
        refuseUnknown(inputs)
        String end = inputs.onFailure ?: 'error'
        if (!ENDS.contains(end)) {
            steps.error("safeInstall: onFailure is one of ${ENDS.join(', ')}, and not '${end}'")
        }
        String folder = steps.pwd(tmp: true)
        String number = UUID.randomUUID().toString()
        boolean unix = steps.isUnix()
        String separator = unix ? '/' : '\\'
        String script = "${folder}${separator}safe-install-${number}.py"
        String report = inputs.report ?: "${folder}${separator}safe-install-${number}.json"
        steps.writeFile(
            file: script,
            encoding: 'UTF-8',
            text: steps.libraryResource(resource: 'org/safeinstall/start.py', encoding: 'UTF-8')
        )
        List variables = variablesOf(inputs, [SAFE_INSTALL_START: script, SAFE_INSTALL_INPUT_REPORT: report])
        int code = 0
        steps.withEnv(variables) {
            code = run(unix)
        }
        Map result = read(report, code)
        if (result.outcome != 'done') {
            fail(end, result)
        }
        return result
    }

    private int run(boolean unix) {
        if (unix) {
            return steps.sh(
                label: 'safe-install',
                returnStatus: true,
                script: steps.libraryResource('org/safeinstall/start.sh')
            )
        }
        return steps.bat(
            label: 'safe-install',
            returnStatus: true,
            script: steps.libraryResource('org/safeinstall/start.bat')
        )
    }

    private void refuseUnknown(Map inputs) {
        for (name in inputs.keySet()) {
            if (!known.containsKey(name) && !OWN.contains(name)) {
                steps.error("safeInstall: there is no input '${name}'; there are ${(known.keySet() + OWN).join(', ')}")
            }
        }
    }

    private List variablesOf(Map inputs, Map own) {
        Map variables = [:]
        for (entry in inputs.entrySet()) {
            if (known.containsKey(entry.key) && entry.value != null) {
                variables[known[entry.key]] = textOf(entry.value)
            }
        }
        if (inputs.source) {
            variables.SAFE_INSTALL_SOURCE = inputs.source.toString()
        }
        variables.putAll(own)
        List found = []
        for (entry in variables.entrySet()) {
            // withEnv replaces $NAME in values; two of them are one.
            found.add(entry.key + '=' + entry.value.replace('$', '$$'))
        }
        return found
    }

    private String textOf(Object value) {
        return value instanceof Collection ? JsonOutput.toJson(value*.toString()) : value.toString()
    }

    private Map read(String path, int code) {
        Map none = [outcome: 'failed', exit_code: code, error: [code: 'no-report', message: 'see the log'], outputs: [:]]
        if (!steps.fileExists(path)) {
            return none
        }
        Map report = parse(steps.readFile(file: path, encoding: 'UTF-8'))
        // One with another exit code is that of an earlier build, and this one's command never began.
        if (report.exit_code != code) {
            return none
        }
        report.outputs = outputsOf(report)
        return report
    }

    private Map outputsOf(Map report) {
        String python = report.layout.python ?: ''
        int end = Math.max(python.lastIndexOf('/'), python.lastIndexOf('\\'))
        return [
            venv: report.layout.venv,
            python: report.layout.python,
            bin: end > 0 ? python.substring(0, end) : '',
            linkMode: report.layout.link_mode,
            fetchedBytes: report.counts.bytes_fetched,
        ]
    }

    private void fail(String end, Map report) {
        String told = "safeInstall: ${report.error?.code}: ${report.error?.message}"
        if (end == 'error') {
            steps.error(told)
        } else if (end == 'unstable') {
            steps.unstable(told)
        } else {
            steps.echo(told)
        }
    }

    @NonCPS
    private Map parse(String text) {
        return new JsonSlurperClassic().parseText(text) as Map
    }

}
