#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

// the next command does not compile the same modules again. It is off with NODE_DISABLE_COMPILE_CACHE=1
enableCompileCache();

const { runCli } = await import('./run-cli.js');

process.exitCode = await runCli(process.argv.slice(2));
