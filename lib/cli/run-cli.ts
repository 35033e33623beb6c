import { configure } from '@mikro-orm/cli';
import { reasonOf, TenantError } from '../errors/index.js';
import { isUnreachable, wasNotLetIn } from '../postgres/sql-state.js';
import { checkCommandLine } from './check-command-line.js';
import { EXIT } from './exit.js';
import { printError, writeJson } from './output.js';
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

  const commandLine = (await configure()) as unknown as CommandLine;
  let code = await printTenantError(async () => {
    await checkCommandLine(commandLine);

    return EXIT.done;
  });

  if (code !== EXIT.done) {
    return code;
  }

  addTenantOptions(commandLine, async (command, tenantArgs) => {
    code = await printTenantError(() => command(tenantArgs), tenantArgs);
    process.exitCode = code;
  });

  if (args.length === 0) {
    commandLine.showHelp('log');
  } else {
    await commandLine.parse(args);
  }

  return code;
}

// yargs would print the help of the command and a stack trace. The message of the error says more
async function printTenantError(command: () => Promise<number>, { json }: TenantArgs = {}): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const message =
      error instanceof TenantError
        ? error.message
        : isUnreachable(error) || wasNotLetIn(error)
          ? `The database cannot be reached: ${causeOf(error)}. Check \`clientUrl\` in the config, and that the server is running.`
          : undefined;

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

// Node.js gives an error without a message where a host has several addresses
function causeOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(reasonOf).join(', ') : reasonOf(error);
}
