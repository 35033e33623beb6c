import { addToDroppingCommands } from './dropping-commands.js';
import { addDataCommands } from './data-commands.js';
import { explainRefusals } from './stock-commands.js';
import { runForTenants } from './run-command.js';
import { RunUsageError } from '../errors/index.js';
import { allowDrops } from '../migrations/set/moved-tables.js';
import { addLifeCommands } from './life-commands.js';
import type { CommandLine, TenantCommand } from './command-line.js';
import type { TenantArgs } from './tenant-args.js';
import { createForTenants } from './create-command.js';
import { recordForTenants, renameForTenants, rollUpForTenants } from './history-commands.js';
import { addPlacementCommands } from './placement-commands.js';
import { reportOnServer } from './server-command.js';
import { checkTenants, listOfTenants, pendingOfTenants, statusOfTenants } from './report-commands.js';

/**
 * Adds `--tenants` to the migration commands, and the commands for tenants. Without `--tenants`, MikroORM's own command runs. `given` are the arguments of the command line. `--schema acme` means `--tenants acme`, because MikroORM's own command would run the public set in the schema of that tenant.
 *
 * Relies on yargs 17, which keeps its commands as objects and reads them when a command runs. They are changed in place: `@mikro-orm/cli`
 * does not export them, and a second command of the same name would appear twice in the help. `checkCommandLine()` looks at that first.
 */
export function addTenantOptions(
  commandLine: CommandLine,
  run: (command: TenantCommand, args: TenantArgs) => Promise<void>,
  given: readonly string[] = [],
): void {
  const handlers = commandLine.getInternalMethods().getCommandInstance().getCommandHandlers();

  for (const [name, command] of Object.entries(COMMANDS)) {
    const stock = handlers[`migration:${name}`] ?? throwUnknownCommand(name);
    const { builder, handler } = stock;

    stock.builder = args =>
      addOptions(builder(args), { tenants: tenantsOption(name), ...markTenantOptions(OPTIONS[name]), ...BOTH_SETS[name] });
    stock.handler = async args => {
      const tenants = selectedTenants(args);

      if (tenants !== undefined) {
        return run(command, { ...args, tenants });
      }

      const [misplaced] = Object.keys(OPTIONS[name] ?? {}).filter(option => option in args);

      // MikroORM's own command ignores these options. It would change the database despite `--dry-run`
      if (misplaced !== undefined) {
        return run(() => Promise.reject(RunUsageError.withoutTenants(`--${misplaced}`)), args);
      }

      await (args.dropMoved === true ? allowDrops(() => handler(args)) : handler(args));
    };
  }

  addToDroppingCommands(handlers, run);
  explainRefusals(handlers, run);
  addDataCommands(commandLine, run);
  commandLine.command({
    command: 'tenant:status',
    describe: 'Show the migrations of each tenant, and schemas without a tenant',
    builder: args => addOptions(args, { tenants: tenantsOption('status'), ...SELECTION, ...OUTPUT }),
    handler: args => run(statusOfTenants, args),
  });
  addPlacementCommands(commandLine, run, { selection: SELECTION, output: OUTPUT, tenants: tenantsOption('placement') });
  commandLine.command({
    command: 'migration:rename',
    describe: 'Rename a migration of the tenant set in the histories of tenants, after its file was renamed',
    builder: args => addOptions(args, { ...RENAME, tenants: tenantsOption('rename'), ...RUN }),
    handler: args => run(renameForTenants, args),
  });
  commandLine.command({
    command: 'tenant:server',
    describe: 'Compare the settings of the server with the number of tenants and tables',
    builder: args => addOptions(args, { json: JSON_OPTION }),
    handler: args => run(reportOnServer, args),
  });
  addLifeCommands(commandLine, run, given);
}

function addOptions(args: CommandLine, options: Options): CommandLine {
  Object.entries(options).forEach(([name, option]) => args.option(name, option));

  return args;
}

/** The options that work only together with `--tenants`, marked as such in the help. */
function markTenantOptions(options: Options = {}): Options {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, { ...option, desc: `${option.desc}  [with --tenants]` }]),
  );
}

function tenantsOption(name: string): Option {
  return {
    array: true,
    type: 'string',
    desc:
      name === 'create'
        ? 'Create the next migration of the tenant set instead of the public set'
        : 'Use the tenant set, for all tenants or for the given schema names',
  };
}

function selectedTenants({ tenants, schema }: TenantArgs): readonly string[] | undefined {
  if (tenants !== undefined || schema === undefined) {
    return tenants;
  }

  return schema === '*' ? [] : [schema];
}

function throwUnknownCommand(name: string): never {
  throw new Error(
    `The installed @mikro-orm/cli has no command migration:${name}. Install a version that the peerDependencies of @landlord/mikro-orm allow.`,
  );
}

const COMMANDS: Readonly<Record<string, TenantCommand>> = {
  create: createForTenants,
  up: args => runForTenants(args, 'up'),
  down: args => runForTenants(args, 'down'),
  list: listOfTenants,
  pending: pendingOfTenants,
  check: checkTenants,
  log: args => recordForTenants(args, 'log'),
  unlog: args => recordForTenants(args, 'unlog'),
  rollup: rollUpForTenants,
};

type Options = Readonly<Record<string, Option>>;

const SELECTION: Options = {
  skip: { array: true, type: 'string', desc: 'Skip the tenants with these schema names' },
  where: { type: 'string', desc: 'Select tenants by a condition on the tenant entity, as JSON' },
};

const JSON_OPTION: Option = { type: 'boolean', desc: 'Print one JSON object per line' };

const OUTPUT: Options = {
  json: JSON_OPTION,
  all: { type: 'boolean', desc: 'Name all tenants, also where many have something in common' },
};

// numbers are parsed here: yargs treats a missing or invalid number as if the option was not given
const RUN: Options = {
  ...SELECTION,
  ...OUTPUT,
  concurrency: { type: 'string', desc: 'Number of tenants to migrate at once  [default: the size of the pool]' },
  'lock-timeout': {
    type: 'string',
    desc: 'Milliseconds to wait for a lock of another session. A tenant that does not get it is tried again 3 times, after 2, 4 and 8 times as long  [default: 1000]',
  },
  'busy-timeout': { type: 'string', desc: 'Milliseconds to wait for a tenant that another run is migrating  [default: 600000]' },
  'statement-timeout': { type: 'string', desc: 'Maximum duration of a statement in milliseconds  [default: the setting of the server]' },
  'database-timeout': {
    type: 'string',
    desc: 'Milliseconds to wait for a database that restarts, cannot be reached or has no connection left  [default: 60000]',
  },
  durability: {
    type: 'string',
    desc: 'When to wait for the disk: once before the run ends (run), or at the commit of each tenant (tenant)  [default: run]',
  },
  'fail-fast': { type: 'boolean', desc: 'Start no more tenants after the first failure' },
  'max-failures': {
    type: 'string',
    desc: 'Start no more tenants after this number of failures; those in progress are finished, and may fail too',
  },
  'max-equal-failures': {
    type: 'string',
    desc: 'Start no more tenants after this number of failures of one cause, if none was migrated; 0 for no limit  [default: 10]',
  },
  canary: {
    array: true,
    type: 'string',
    desc: 'Migrate these first (schema names, or a number of tenants); if one fails, start no others',
  },
  'dry-run': { type: 'boolean', desc: 'Print the SQL and change nothing' },
};

// it is for all tenants
const { skip: _skip, where: _where, canary: _canary, ...ROLLUP } = RUN;

const RENAME: Options = {
  from: { type: 'string', desc: 'The name in the histories' },
  to: { type: 'string', desc: 'The name of the file, without its ending' },
};

const OPTIONS: Readonly<Record<string, Options>> = {
  create: {},
  up: { ...RUN, 'skip-public-check': { type: 'boolean', desc: 'Migrate even if the public set has pending migrations' } },
  down: RUN,
  list: { ...SELECTION, ...OUTPUT },
  pending: { ...SELECTION, ...OUTPUT },
  log: RUN,
  unlog: RUN,
  rollup: ROLLUP,
  check: {
    ...SELECTION,
    ...OUTPUT,
    drift: { type: 'boolean', desc: 'Compare the objects of each tenant with what the tenant set makes' },
  },
};

/** Options of both sets. */
const BOTH_SETS: Readonly<Record<string, Options>> = {
  create: {
    'drop-moved': {
      type: 'boolean',
      desc: 'Write the migration even if it drops tables whose entities have moved between the public schema and the tenants',
    },
  },
};

interface Option {
  readonly type: 'string' | 'boolean';
  readonly array?: true;
  readonly desc: string;
}
