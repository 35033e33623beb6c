import type { CommandLine, TenantCommand } from './command-line.js';
import { examineTenants } from './doctor-command.js';
import { runProgram } from './exec-command.js';
import { addFieldOptions, createTenant } from './new-tenant-command.js';
import type { TenantArgs } from './tenant-args.js';
import { seedTenants } from './seed-command.js';
import { openShell } from './shell-command.js';
import { dropTenant, listTenants, provisionTenant, purgeTenants, renameTenant, restoreTenant } from './tenant-commands.js';
import { showUsage } from './usage-command.js';

/** Adds the commands for the life of tenants. `given` are the arguments of the command line. */
export function addLifeCommands(
  commandLine: CommandLine,
  run: (command: TenantCommand, args: TenantArgs) => Promise<void>,
  given: readonly string[],
): void {
  addToSeeder(commandLine, run);

  for (const { command, describe, positional = {}, options, execute } of COMMANDS) {
    commandLine.command({
      command,
      describe,
      // one whose builder is awaited gets its help later, so only that does which has to read the config
      builder: args => {
        Object.entries(positional).forEach(([name, each]) => args.positional(name, each));
        Object.entries(options).forEach(([name, each]) => args.option(name, each));

        return command === 'tenant:create' && given.length > 0 ? addFieldOptions(args, given) : args;
      },
      // what follows `--` is the program's
      handler: args => run(execute, { ...args, program: programOf(given) }),
    });
  }
}

/** Adds `--tenants` to `seeder:run`. Without it, MikroORM's own command runs. */
function addToSeeder(commandLine: CommandLine, run: (command: TenantCommand, args: TenantArgs) => Promise<void>): void {
  const stock = commandLine.getInternalMethods().getCommandInstance().getCommandHandlers()['seeder:run'];

  if (stock === undefined) {
    return;
  }

  const { builder, handler } = stock;
  stock.builder = args =>
    Object.entries({
      tenants: { array: true, type: 'string', desc: 'Seed all tenants, or those with the given schema names' },
      concurrency: { type: 'string', desc: 'Number of tenants at once  [with --tenants]' },
      json: { type: 'boolean', desc: 'Print one JSON object per line  [with --tenants]' },
    }).reduce((line, [name, option]) => line.option(name, option), builder(args));
  stock.handler = args => (args.tenants === undefined ? handler(args) : run(seedTenants, args));
}

function programOf(given: readonly string[]): readonly string[] {
  const end = given.indexOf('--');

  return end === -1 ? [] : given.slice(end + 1);
}

const JSON_OPTION = { json: { type: 'boolean', desc: 'Print one JSON object per line' } } as const;

const YES = { yes: { type: 'boolean', desc: 'Do not ask. Needed where there is no terminal' } } as const;

const TENANT = { tenant: { type: 'string', desc: 'The schema name of the tenant' } } as const;

const SELECTION = {
  tenants: { array: true, type: 'string', desc: 'The tenants with these schema names  [default: all]' },
  skip: { array: true, type: 'string', desc: 'Skip the tenants with these schema names' },
  where: { type: 'string', desc: 'Select tenants by a condition on the tenant entity, as JSON' },
} as const;

const FORCE = {
  force: { type: 'boolean', desc: 'Do it even if functions or settings have the name of the schema in their text' },
} as const;

const COMMANDS: readonly LifeCommand[] = [
  {
    command: 'tenant:list',
    describe: 'List the tenants',
    options: { ...SELECTION, deleted: { type: 'boolean', desc: 'List the deleted tenants that can be restored' }, ...JSON_OPTION },
    execute: listTenants,
  },
  {
    command: 'tenant:create',
    describe:
      'Create a tenant: row, schema and tables. Each property of the tenant entity is an option; on a terminal, required ones are asked for',
    options: {
      data: { type: 'string', desc: 'Properties of the tenant entity as JSON, for those that have no option' },
      schema: {
        type: 'boolean',
        desc: 'Create the schema now; --no-schema leaves it to tenant:provision  [default: as the options of withTenants() say]',
      },
      ...JSON_OPTION,
    },
    execute: createTenant,
  },
  {
    command: 'tenant:provision <tenant>',
    describe: 'Create the schema and the tables of a tenant that has none, such as after tenant:create --no-schema',
    positional: TENANT,
    options: JSON_OPTION,
    execute: provisionTenant,
  },
  {
    command: 'tenant:rename <tenant> <newName>',
    describe: 'Rename a tenant and its schema',
    positional: { ...TENANT, newName: { type: 'string', desc: 'The new schema name' } },
    options: { host: { type: 'string', desc: 'The new host  [default: the one it has]' }, ...FORCE, ...JSON_OPTION },
    execute: renameTenant,
  },
  {
    command: 'tenant:drop <tenant>',
    describe: 'Delete a tenant with all its data',
    positional: TENANT,
    options: {
      soft: { type: 'boolean', desc: 'Delete it so that tenant:restore can bring it back' },
      cascade: { type: 'boolean', desc: 'Drop what depends on its schema from outside of it too' },
      ...FORCE,
      ...YES,
      ...JSON_OPTION,
    },
    execute: dropTenant,
  },
  {
    command: 'tenant:restore <tenant>',
    describe: 'Bring back a tenant that was deleted with --soft',
    positional: { tenant: { type: 'string', desc: 'The name that it had, or its id' } },
    options: {
      as: { type: 'string', desc: 'The schema name that it gets  [default: the one it had]' },
      host: { type: 'string', desc: 'The host that it gets  [default: the one it had]' },
      ...FORCE,
      ...JSON_OPTION,
    },
    execute: restoreTenant,
  },
  {
    command: 'tenant:purge [tenants..]',
    describe: 'Drop tenants for good that were deleted with --soft',
    positional: { tenants: { array: true, type: 'string', desc: 'Their ids, or the names that they had  [default: all]' } },
    options: {
      'older-than': { type: 'string', desc: 'Those that were deleted longer ago than this, such as 30d, 12h or 45m' },
      cascade: { type: 'boolean', desc: 'Drop what depends on their schemas from outside of them too' },
      'dry-run': { type: 'boolean', desc: 'Print which ones, and drop nothing' },
      ...YES,
      ...JSON_OPTION,
    },
    execute: purgeTenants,
  },
  {
    command: 'tenant:exec [tenant]',
    describe: 'Run a program for a tenant, or for many: tenant:exec acme -- node report.js',
    positional: TENANT,
    options: {
      all: { type: 'boolean', desc: 'Run it for all tenants' },
      ...SELECTION,
      concurrency: { type: 'string', desc: 'Number of programs at once  [default: 4]' },
      ...JSON_OPTION,
    },
    execute: runProgram,
  },
  {
    command: 'tenant:seed [tenants..]',
    describe: 'Run a seeder in tenants',
    positional: { tenants: { array: true, type: 'string', desc: 'Their schema names  [default: all]' } },
    options: {
      skip: SELECTION.skip,
      where: SELECTION.where,
      class: { type: 'string', desc: 'The seeder  [default: the option seeder.defaultSeeder]' },
      concurrency: { type: 'string', desc: 'Number of tenants at once  [default: 4]' },
      ...JSON_OPTION,
    },
    execute: seedTenants,
  },
  {
    command: 'tenant:shell <tenant>',
    describe: 'Open a shell with em and the entities in the scope of a tenant',
    positional: TENANT,
    options: {},
    execute: openShell,
  },
  {
    command: 'tenant:doctor',
    describe: 'Find what is not as it should be, and mend what is safe with --fix',
    options: {
      ...SELECTION,
      deep: { type: 'boolean', desc: 'Look at each tenant too: its objects, and its sequences' },
      fix: { type: 'boolean', desc: 'Mend what can be mended safely' },
      'dry-run': { type: 'boolean', desc: 'With --fix: print the SQL and change nothing' },
      all: { type: 'boolean', desc: 'Name all tenants, also where many have something in common' },
      ...JSON_OPTION,
    },
    execute: examineTenants,
  },
  {
    command: 'tenant:usage',
    describe: 'Show what each tenant takes: rows, bytes, connections',
    options: {
      ...SELECTION,
      'order-by': { type: 'string', desc: 'bytes, rows, tables, connections, slowestMs, lastActivity or schemaName  [default: bytes]' },
      limit: { type: 'string', desc: 'Number of tenants  [default: 20]' },
      offset: { type: 'string', desc: 'Number of tenants to leave out before them  [default: 0]' },
      exact: { type: 'boolean', desc: 'Read the bytes from the files, not from the last vacuum or analysis' },
      ...JSON_OPTION,
    },
    execute: showUsage,
  },
];

interface LifeCommand {
  /** The command with its arguments, as yargs writes them. */
  readonly command: string;
  readonly describe: string;
  readonly positional?: Options;
  readonly options: Options;
  readonly execute: TenantCommand;
}

type Options = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly array?: true; readonly desc: string }>>;
