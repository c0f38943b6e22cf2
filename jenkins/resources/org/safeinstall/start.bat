@echo off
rem Start the command with the first Python of this agent that is new enough.
setlocal
set "failed="
rem Reports that the controller has read long ago.
for %%S in ("%SAFE_INSTALL_START%") do forfiles /p "%%~dpS." /m safe-install-* /d -1 /c "cmd /c del @path" >nul 2>nul
for %%P in ("%SAFE_INSTALL_TOOL_PYTHON%" python py python3) do (
    call "%%~P" -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul && (
        call "%%~P" -P "%SAFE_INSTALL_START%" door jenkins
        goto end
    )
)
echo error[no-python]: this agent has no Python 3.11 or newer on PATH
echo   hint: install one, or name one in SAFE_INSTALL_TOOL_PYTHON; environments may be of any CPython from 3.8
set "failed=8"
:end
if not defined failed set "failed=%errorlevel%"
del "%SAFE_INSTALL_START%" >nul 2>nul
exit /b %failed%
