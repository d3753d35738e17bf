@echo off
rem @NAME@ @VERSION@ for @TARGET@: runs the programs with the Deno runtime beside them.
setlocal
set DENO_NO_UPDATE_CHECK=1
if "%~1"=="ctl" goto ctl
"%~dp0runtime\deno.exe" run @FLAGS@ "%~dp0runtime\main.js" %*
exit /b %ERRORLEVEL%
:ctl
"%~dp0runtime\deno.exe" run @CTL_FLAGS@ "%~dp0runtime\main.js" %*
exit /b %ERRORLEVEL%
