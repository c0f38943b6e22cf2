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
    String bin = report.outputs.bin
    return withEnv(["VIRTUAL_ENV=${report.outputs.venv}", "PATH+SAFEINSTALL=${bin}"]) {
        body()
    }
}
