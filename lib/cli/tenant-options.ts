import { runForTenants } from './run-command.js';
import { RunUsageError } from '../errors/index.js';
import type { TenantArgs } from './tenant-args.js';
import { checkTenants, createForTenants, listOfTenants, pendingOfTenants, statusOfTenants } from './tenant-commands.js';

/** A command over tenants. Resolves to the exit code. */
export type TenantCommand = (args: TenantArgs) => Promise<number>;

/** The little of yargs that is used here. */
export interface CommandLine {
  option(name: string, options: object): CommandLine;
  command(module: { command: string; describe: string; builder: Builder; handler(args: TenantArgs): Promise<void> }): CommandLine;
  parse(args: readonly string[]): Promise<unknown>;
  showHelp(level: 'log'): void;
  getInternalMethods(): { getCommandInstance(): { getCommandHandlers(): Record<string, CommandHandler> } };
}

/**
 * Adds `--tenants` to the migration commands; without it each is the stock one. `--schema` of a tenant means that tenant: the stock
 * command would run the public set in its schema. Adds the command `tenant:status`.
 *
 * Relies on yargs 17 keeping its commands as objects that are read when one is run, as `@mikro-orm/cli` does not export them one
 * by one, and a command of the same name added later stands in the help beside the earlier one.
 */
export function addTenantOptions(commandLine: CommandLine, run: (command: TenantCommand, args: TenantArgs) => Promise<void>): void {
  const handlers = commandLine.getInternalMethods().getCommandInstance().getCommandHandlers();

  for (const [name, command] of Object.entries(COMMANDS)) {
    const stock = handlers[`migration:${name}`] ?? missing(name);
    const { builder, handler } = stock;

    stock.builder = args => addOptions(builder(args), { tenants: tenantsOption(name), ...OPTIONS[name] });
    stock.handler = async args => {
      const tenants = selectedTenants(args);

      if (tenants !== undefined) {
        return run(command, { ...args, tenants });
      }

      const [misplaced] = Object.keys(OPTIONS[name] ?? {}).filter(option => option in args);

      // the stock command knows nothing of it, and would run for real where `--dry-run` was meant
      return misplaced === undefined ? handler(args) : run(() => Promise.reject(RunUsageError.withoutTenants(`--${misplaced}`)), args);
    };
  }

  commandLine.command({
    command: 'tenant:status',
    describe: 'Show what each tenant has and lacks, and schemas without a tenant',
    builder: args => addOptions(args, { tenants: tenantsOption('status'), ...SELECTION, ...JSON_OUTPUT }),
    handler: args => run(statusOfTenants, args),
  });
}

function addOptions(args: CommandLine, options: Options): CommandLine {
  Object.entries(options).forEach(([name, option]) => args.option(name, option));

  return args;
}

function tenantsOption(name: string): object {
  return {
    array: true,
    type: 'string',
    desc:
      name === 'create'
        ? 'Write the next migration of the tenant set instead of the public one'
        : 'Work on the tenant set, for all tenants or for those of these schema names',
  };
}

function selectedTenants({ tenants, schema }: TenantArgs): readonly string[] | undefined {
  if (tenants !== undefined || schema === undefined) {
    return tenants;
  }

  return schema === '*' ? [] : [schema];
}

function missing(name: string): never {
  throw new Error(`The installed @mikro-orm/cli has no command migration:${name}. Install the version that this package's peers name.`);
}

const COMMANDS: Readonly<Record<string, TenantCommand>> = {
  create: createForTenants,
  up: args => runForTenants(args, 'up'),
  down: args => runForTenants(args, 'down'),
  list: listOfTenants,
  pending: pendingOfTenants,
  check: checkTenants,
};

type Options = Readonly<Record<string, object>>;

const SELECTION: Options = {
  skip: { array: true, type: 'string', desc: 'With tenants: leave out those of these schema names' },
  where: { type: 'string', desc: 'With tenants: a condition on the tenant entity, as JSON' },
};

const JSON_OUTPUT: Options = {
  json: { type: 'boolean', desc: 'With tenants: one JSON object per line' },
};

// numbers are taken as text, as yargs takes one that is missing or is none for an option that was not given
const RUN: Options = {
  ...SELECTION,
  ...JSON_OUTPUT,
  concurrency: { type: 'string', desc: 'With tenants: how many at once  [default: the size of the pool]' },
  'lock-timeout': { type: 'string', desc: 'With tenants: milliseconds to wait for a lock another session holds  [default: 5000]' },
  'busy-timeout': { type: 'string', desc: 'With tenants: milliseconds to wait for a tenant that another run has  [default: 600000]' },
  'statement-timeout': { type: 'string', desc: "With tenants: milliseconds a statement may take  [default: the server's setting]" },
  'fail-fast': { type: 'boolean', desc: 'With tenants: begin no other after the first failure' },
  'max-failures': { type: 'string', desc: 'With tenants: begin no other after so many failures' },
  canary: { array: true, type: 'string', desc: 'With tenants: these first, by name or that many; if one fails, no other is begun' },
  'dry-run': { type: 'boolean', desc: 'With tenants: print the SQL and change nothing' },
};

const OPTIONS: Readonly<Record<string, Options>> = {
  create: {},
  up: { ...RUN, 'skip-public-check': { type: 'boolean', desc: 'With tenants: migrate them though the public set is behind' } },
  down: RUN,
  list: { ...SELECTION, ...JSON_OUTPUT },
  pending: { ...SELECTION, ...JSON_OUTPUT },
  check: { ...SELECTION, ...JSON_OUTPUT },
};

type Builder = (args: CommandLine) => CommandLine;

interface CommandHandler {
  builder: Builder;
  handler: (args: TenantArgs) => Promise<void>;
}
