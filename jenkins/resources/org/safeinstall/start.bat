@echo off
rem Start the command with the first Python of this agent that is new enough.
setlocal EnableExtensions DisableDelayedExpansion
rem Reports that the controller has read long ago.
for %%S in ("%SAFE_INSTALL_START%") do forfiles /p "%%~dpS." /m safe-install-* /d -1 /c "cmd /c del @path" >nul 2>nul
rem Python may be a batch file, which returns to here only after "call"; and "call" expands its line once more. So the name of
rem Python has two percent signs on each side, and the script, in a folder like a%%2Fb, is read from its variable by Python itself.
set "_python=%SAFE_INSTALL_TOOL_PYTHON%"
if defined _python (
    call "%%_python%%" -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul || set "_python="
)
for %%P in (py python python3) do if not defined _python (
    call %%P -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul && set "_python=%%P"
)
if not defined _python (
    echo error[no-python]: this agent has no Python 3.11 or newer on PATH
    echo   hint: install one, or name one in SAFE_INSTALL_TOOL_PYTHON; environments may be of any CPython from 3.8
    del "%SAFE_INSTALL_START%" >nul 2>nul
    exit /b 8
)
call "%%_python%%" -P -c "import os, runpy; runpy.run_path(os.environ['SAFE_INSTALL_START'], run_name='__main__')" door jenkins
set "_code=%errorlevel%"
del "%SAFE_INSTALL_START%" >nul 2>nul
exit /b %_code%
