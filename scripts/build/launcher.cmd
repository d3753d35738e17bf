@echo off
rem @NAME@ @VERSION@ for @TARGET@: runs the program with the Deno runtime beside it.
setlocal
set DENO_NO_UPDATE_CHECK=1
"%~dp0runtime\deno.exe" run @FLAGS@ "%~dp0runtime\main.js" %*
exit /b %ERRORLEVEL%
