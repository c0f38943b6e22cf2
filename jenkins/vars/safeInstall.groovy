// Made by docs/door_files.py from src/safe_install/doors.py; a test holds it to that.
import org.safeinstall.Door

/**
 * Install Python dependencies so that no other job can break this one; the help says which inputs there are.
 *
 * @return the report as a map, with the outputs of every door in it below 'outputs'
 */
Map call(Map inputs = [:]) {
    return new Door(this, known()).install(inputs)
}

/** What every door takes, and the variable that hands it over. */
Map known() {
    return [
        command: 'SAFE_INSTALL_INPUT_COMMAND',
        files: 'SAFE_INSTALL_INPUT_FILES',
        args: 'SAFE_INSTALL_INPUT_ARGS',
        venv: 'SAFE_INSTALL_INPUT_VENV',
        python: 'SAFE_INSTALL_INPUT_PYTHON',
        cacheDir: 'SAFE_INSTALL_INPUT_CACHE_DIR',
        scope: 'SAFE_INSTALL_INPUT_SCOPE',
        runnerDir: 'SAFE_INSTALL_INPUT_RUNNER_DIR',
        seed: 'SAFE_INSTALL_INPUT_SEED',
        shared: 'SAFE_INSTALL_INPUT_SHARED',
        trust: 'SAFE_INSTALL_INPUT_TRUST',
        scratch: 'SAFE_INSTALL_INPUT_SCRATCH',
        linkMode: 'SAFE_INSTALL_INPUT_LINK_MODE',
        isolation: 'SAFE_INSTALL_INPUT_ISOLATION',
        verify: 'SAFE_INSTALL_INPUT_VERIFY',
        compileBytecode: 'SAFE_INSTALL_INPUT_COMPILE_BYTECODE',
        indexUrl: 'SAFE_INSTALL_INPUT_INDEX_URL',
        extraIndexUrl: 'SAFE_INSTALL_INPUT_EXTRA_INDEX_URL',
        findLinks: 'SAFE_INSTALL_INPUT_FIND_LINKS',
        noIndex: 'SAFE_INSTALL_INPUT_NO_INDEX',
        indexStrategy: 'SAFE_INSTALL_INPUT_INDEX_STRATEGY',
        keyringProvider: 'SAFE_INSTALL_INPUT_KEYRING_PROVIDER',
        offline: 'SAFE_INSTALL_INPUT_OFFLINE',
        timeout: 'SAFE_INSTALL_INPUT_TIMEOUT',
        retryBudget: 'SAFE_INSTALL_INPUT_RETRY_BUDGET',
        concurrentDownloads: 'SAFE_INSTALL_INPUT_CONCURRENT_DOWNLOADS',
        cert: 'SAFE_INSTALL_INPUT_CERT',
        clientCert: 'SAFE_INSTALL_INPUT_CLIENT_CERT',
        proxy: 'SAFE_INSTALL_INPUT_PROXY',
        trustedHost: 'SAFE_INSTALL_INPUT_TRUSTED_HOST',
        requireHashes: 'SAFE_INSTALL_INPUT_REQUIRE_HASHES',
        noDeps: 'SAFE_INSTALL_INPUT_NO_DEPS',
        constraint: 'SAFE_INSTALL_INPUT_CONSTRAINT',
        override: 'SAFE_INSTALL_INPUT_OVERRIDE',
        pre: 'SAFE_INSTALL_INPUT_PRE',
        resolution: 'SAFE_INSTALL_INPUT_RESOLUTION',
        excludeNewer: 'SAFE_INSTALL_INPUT_EXCLUDE_NEWER',
        upgrade: 'SAFE_INSTALL_INPUT_UPGRADE',
        onlyBinary: 'SAFE_INSTALL_INPUT_ONLY_BINARY',
        noBinary: 'SAFE_INSTALL_INPUT_NO_BINARY',
        buildIsolation: 'SAFE_INSTALL_INPUT_BUILD_ISOLATION',
        buildConstraint: 'SAFE_INSTALL_INPUT_BUILD_CONSTRAINT',
        configSetting: 'SAFE_INSTALL_INPUT_CONFIG_SETTING',
        buildEnv: 'SAFE_INSTALL_INPUT_BUILD_ENV',
        buildTimeout: 'SAFE_INSTALL_INPUT_BUILD_TIMEOUT',
        allowIrregular: 'SAFE_INSTALL_INPUT_ALLOW_IRREGULAR',
        lockTimeout: 'SAFE_INSTALL_INPUT_LOCK_TIMEOUT',
        jobUrl: 'SAFE_INSTALL_INPUT_JOB_URL',
        maxSize: 'SAFE_INSTALL_INPUT_MAX_SIZE',
        maxAge: 'SAFE_INSTALL_INPUT_MAX_AGE',
        minFree: 'SAFE_INSTALL_INPUT_MIN_FREE',
        autoGc: 'SAFE_INSTALL_INPUT_AUTO_GC',
        report: 'SAFE_INSTALL_INPUT_REPORT',
        quiet: 'SAFE_INSTALL_INPUT_QUIET',
        verbose: 'SAFE_INSTALL_INPUT_VERBOSE',
    ]
}
