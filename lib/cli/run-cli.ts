import { configure } from '@mikro-orm/cli';
import { reasonOf, TenantError } from '../errors/index.js';
import { rootOf } from '../migrations/run/same-cause.js';
import { isUnreachable, sqlStateOf, wasNotLetIn } from '../postgres/sql-state.js';
import { checkCommandLine } from './check-command-line.js';
import { EXIT } from './exit.js';
import { oneLine, printError, writeJson } from './output.js';
import { detailsOf } from './run-summary.js';
import type { TenantArgs } from './tenant-args.js';
import type { CommandLine } from './command-line.js';
import { addTenantOptions } from './tenant-options.js';

/** Runs MikroORM's own command line with the tenant options added. Resolves to the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  // without it, MikroORM's command line refuses to run in a project whose package.json does not list `@mikro-orm/cli`. Here it may be a peer only
  process.env['MIKRO_ORM_ALLOW_GLOBAL_CLI'] ??= '1';

  // MikroORM's own output has colours wherever it goes
  if (process.stdout.isTTY !== true && process.env['FORCE_COLOR'] === undefined) {
    process.env['NO_COLOR'] ??= '1';
  }

  // `| head` closes it, and so does a terminal that is gone. Work that is under way does not end for it
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners('error').includes(ignoreClosed)) {
      stream.on('error', ignoreClosed);
    }
  }

  const commandLine = (await configure()) as unknown as CommandLine;
  let code = await printTenantError(async () => {
    await checkCommandLine(commandLine);

    return EXIT.done;
  });

  if (code !== EXIT.done) {
    return code;
  }

  addTenantOptions(
    commandLine,
    async (command, tenantArgs) => {
      code = await printTenantError(() => command(tenantArgs), tenantArgs);
      process.exitCode = code;
    },
    args,
  );

  // `showHelp()` would show that of the command which was parsed last, and that is the one of the check
  await commandLine.parse(args.length === 0 ? ['--help'] : withoutProgram(args));

  return code;
}

/** What follows `--` is a program of `tenant:exec`, and no argument of its own. */
function withoutProgram(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--');

  return end !== -1 && args.slice(0, end).includes('tenant:exec') ? args.slice(0, end) : args;
}

// yargs would print the help of the command and a stack trace. The message of the error says more
async function printTenantError(command: () => Promise<number>, { json }: TenantArgs = {}): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const message = messageOf(error);

    if (message === undefined) {
      throw error;
    }

    if (json === true) {
      writeJson('error', { message, ...detailsOf(error) });
    } else {
      printError(message);
    }

    return EXIT.refused;
  }
}

function messageOf(error: unknown): string | undefined {
  if (error instanceof TenantError) {
    return error.message;
  }

  if (isUnreachable(error) || wasNotLetIn(error)) {
    return `The database cannot be reached: ${causeOf(error)}. Check \`clientUrl\` in the config, and that the server is running.`;
  }

  const state = sqlStateOf(error);

  if (state === undefined) {
    return undefined;
  }

  // data exceptions, and constraints that are violated. Others are such as a right that the role lacks, or a time-out of the server
  const remedy = /^2[23]/.test(state)
    ? 'Check the values that were to be stored, and the rows that are there.'
    : 'Check the rights of the role and the settings of the server.';

  return `The database has refused a statement: ${oneLine(reasonOf(rootOf(error)))} (SQLSTATE ${state}). ${remedy}`;
}

function ignoreClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') {
    throw error;
  }
}

// Node.js gives an error without a message where a host has several addresses
function causeOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(reasonOf).join(', ') : reasonOf(error);
}
