import type { Writable } from 'node:stream';
import type { TenantService } from '../api/tenant-service.js';
import { reasonOf, RunUsageError, TenantError } from '../errors/index.js';
import { isUnreachable, sqlStateOf } from '../postgres/sql-state.js';
import type { CommandLine, TenantCommand } from './command-line.js';
import { EXIT } from './exit.js';
import { checkReadable, exitOnSignals, writeFileOf, writeOutput } from './files.js';
import { propertiesOf, store } from './new-row.js';
import { oneLine, print, printError, writeJson } from './output.js';
import type { TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** Adds the commands that copy tenants, write them to files and read them, and make tenants of what is there. */
export function addDataCommands(commandLine: CommandLine, run: (command: TenantCommand, args: TenantArgs) => Promise<void>): void {
  for (const { command, describe, options, work } of COMMANDS) {
    commandLine.command({
      command,
      describe,
      builder: args => {
        Object.entries({ ...options, json: JSON_OPTION }).forEach(([name, option]) => args.option(name, option));

        return args;
      },
      handler: args => run(work as TenantCommand, args),
    });
  }
}

function cloneTenant(args: DataArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const { source = '', data = ['all'], force = false } = args;
    const chosen = data.length === 1 && (data[0] === 'all' || data[0] === 'none') ? data[0] : data;
    const row = rowOf(tenants, args);
    const { schemaName } = await storeNew(() =>
      tenants.clone(source, row, {
        data: chosen,
        force,
        onProgress: ({ table, done, total }) => progress(args, { table, done, total }),
      }),
    );

    return done(args, 'cloned', { source, schemaName }, `Tenant ${schemaName} is a copy of ${source}`);
  });
}

function exportTenant(args: DataArgs): Promise<number> {
  const { tenant = '', format = 'landlord', output, force = false } = args;

  if (!isFormat(format)) {
    throw RunUsageError.option('--format', format, 'landlord, sql or json');
  }

  if (output === undefined && format === 'landlord' && process.stdout.isTTY) {
    throw RunUsageError.option('--output', output, 'the name of a file, or redirect the output to one: it is not for a terminal');
  }

  return withTenantsOf(args, async tenants => {
    const onTable = (table: string, at: number, total: number): void => progress({ ...args, toError: true }, { table, done: at, total });
    const write = (to: Writable): Promise<void> => tenants.export(tenant, to, { format, force, onTable });
    await (output === undefined ? writeOutput(write) : writeFileOf('--output', output, write)).finally(clearProgress);

    return output === undefined
      ? EXIT.done
      : done(args, 'exported', { schemaName: tenant, output }, `Tenant ${tenant} was written to ${output}`);
  });
}

async function importTenant(args: DataArgs): Promise<number> {
  const file = args.file === '-' ? undefined : args.file;

  if (file !== undefined) {
    await checkReadable('FILE', file);
  } else if (process.stdin.isTTY) {
    throw RunUsageError.option('FILE', file, 'the name of a file, or redirect the standard input from one: it is not for a terminal');
  }

  return withTenantsOf(args, async tenants => {
    const row = rowOf(tenants, args);
    const options = { migrate: args.migrate !== false, onTable: (table: string) => progress(args, { table }) };
    const { schemaName } = await storeNew(() => exitOnSignals(() => tenants.import(file ?? process.stdin, row, options)));

    return done(args, 'imported', { schemaName }, `Tenant ${schemaName} was imported`);
  });
}

function adoptTenant(args: DataArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const row = rowOf(tenants, args);
    const { schemaName } = await storeNew(() => tenants.adopt(row, args.to === undefined ? {} : { to: args.to }));

    return done(args, 'adopted', { schemaName }, `Schema ${schemaName} is a tenant's now`);
  });
}

function extractTenants(args: DataArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const { names = [], value } = args;
    const chosen = names.length > 0 ? names : (await tenants.list()).map(({ schemaName }) => schemaName);

    // all rows can be only one tenant's, and so can the rows of one value
    if (chosen.length !== 1 && (args.column === undefined || value !== undefined)) {
      throw RunUsageError.option(
        value === undefined ? '--column' : '--value',
        value ?? args.column,
        value === undefined ? 'the column that says whose a row is, as there are several tenants' : 'given with one tenant only',
      );
    }

    let failed = 0;

    for (const schemaName of chosen) {
      failed += (await extractOne(tenants, schemaName, args)) ? 0 : 1;
    }

    return failed === 0 ? EXIT.done : EXIT.failed;
  });
}

async function extractOne(tenants: TenantService, schemaName: string, args: DataArgs): Promise<boolean> {
  const { column, value, whole = [], without = [], keep = false, dryRun = false } = args;

  try {
    const report = await tenants.extract(schemaName, {
      ...(column === undefined ? {} : { column }),
      ...(value === undefined ? {} : { value }),
      whole,
      without,
      keep,
      dryRun,
    });
    const moved = report.tables.filter(({ rows }) => rows > 0);

    if (args.json === true) {
      writeJson('extracted', { ...report, dryRun });
    } else {
      const what = moved.map(({ table, rows }) => `${table}: ${rows}`).join(', ');
      print(`${schemaName}: ${moved.length === 0 ? 'nothing to move' : `${dryRun ? 'would move' : 'moved'} ${what}`}`);
      report.refused.forEach(reason => printError(`${schemaName}: cannot be moved: ${oneLine(reason)}`, 'yellow'));
    }

    return report.refused.length === 0;
  } catch (error) {
    // what the database refuses for one tenant, the next one may be granted
    if (!(error instanceof TenantError) && (sqlStateOf(error) === undefined || isUnreachable(error))) {
      throw error;
    }

    if (args.json === true) {
      writeJson('failed', { schemaName, code: error instanceof TenantError ? error.code : sqlStateOf(error), message: reasonOf(error) });
    } else {
      printError(`${schemaName}: ${oneLine(reasonOf(error))}`);
    }

    return false;
  }
}

/** The values of the new tenant's row. What it lacks is said by MikroORM and the database. */
function rowOf(tenants: TenantService, { schemaName, domainUrl, set }: DataArgs): never {
  for (const [option, value] of [
    ['--schema-name', schemaName],
    ['--domain-url', domainUrl],
  ] as const) {
    if (value === undefined || value === '') {
      throw RunUsageError.option(option, value, 'a value for the new tenant');
    }
  }

  const expected = 'the other values of the row as a JSON object, such as {"name":"Bob"}';

  return { ...propertiesOf(tenants, { option: '--set', json: set, expected }), schemaName, domainUrl } as never;
}

function storeNew<Result>(fn: () => Promise<Result>): Promise<Result> {
  return store('--set', fn).finally(clearProgress);
}

/** What is printed next begins a line. */
function clearProgress(): void {
  if (process.stderr.isTTY) {
    process.stderr.write('\r\u001B[K');
  }
}

function progress(
  args: DataArgs & { readonly toError?: boolean },
  at: { readonly table: string; readonly done?: number; readonly total?: number },
): void {
  if (args.quiet === true) {
    return;
  }

  const of = at.done === undefined ? '' : ` ${at.done}/${at.total}`;

  if (args.json === true && args.toError !== true) {
    writeJson('table', at);
  } else if (process.stderr.isTTY) {
    process.stderr.write(`\r\u001B[K${at.table}${of}${at.done === at.total && at.done !== undefined ? '\n' : ''}`);
  }
}

function done(args: DataArgs, event: string, values: object, text: string): number {
  if (args.json === true) {
    writeJson(event, values);
  } else if (args.quiet !== true) {
    print(text, 'green');
  }

  return EXIT.done;
}

function isFormat(format: string): format is 'landlord' | 'sql' | 'json' {
  return format === 'landlord' || format === 'sql' || format === 'json';
}

const JSON_OPTION = { type: 'boolean', desc: 'Print one JSON object per line' } as const;

const ROW = {
  'schema-name': { type: 'string', desc: 'The schema name of the new tenant' },
  'domain-url': { type: 'string', desc: 'The host of the new tenant' },
  set: { type: 'string', desc: 'The other values of its row, as JSON' },
} as const;

const FORCE = { type: 'boolean', desc: 'Take over definitions that have the name of the schema in a text, as they are' } as const;

const COMMANDS = [
  {
    command: 'tenant:clone <source>',
    describe: 'Create a tenant that is a copy of another one',
    options: {
      ...ROW,
      data: { array: true, type: 'string', desc: 'Whose rows to copy: all, none, or names of tables  [default: all]' },
      force: FORCE,
    },
    work: cloneTenant,
  },
  {
    command: 'tenant:export <tenant>',
    describe: 'Write a tenant to a file or to the standard output',
    options: {
      output: { type: 'string', desc: 'The file  [default: the standard output]' },
      format: { type: 'string', desc: 'landlord for tenant:import, sql for psql, or json for the rows alone  [default: landlord]' },
      force: FORCE,
    },
    work: exportTenant,
  },
  {
    command: 'tenant:import [file]',
    describe: 'Create a tenant from a file of tenant:export, or from the standard input',
    options: { ...ROW, migrate: { type: 'boolean', default: true, desc: 'Run the pending migrations in it' } },
    work: importTenant,
  },
  {
    command: 'tenant:extract [names..]',
    describe: "Move rows of public tables into tenants' schemas, for all tenants or for the given schema names",
    options: {
      column: { type: 'string', desc: 'The column of public tables that says whose a row is  [default: all rows are of the one tenant]' },
      value: { type: 'string', desc: "What it has in the tenant's rows  [default: the tenant's primary key]" },
      whole: { array: true, type: 'string', desc: 'Tables of which every tenant gets all rows; they stay in public' },
      without: { array: true, type: 'string', desc: 'Columns of public tables that are not wanted any more' },
      keep: { type: 'boolean', desc: 'Leave the rows in the public tables too' },
      'dry-run': { type: 'boolean', desc: 'Print what would be moved and what cannot be, and change nothing' },
    },
    work: extractTenants,
  },
  {
    command: 'tenant:adopt',
    describe: "Make a schema that is there a tenant's, if it is what the tenant set makes",
    options: { ...ROW, to: { type: 'string', desc: 'The last migration that the schema has  [default: the last one of the tenant set]' } },
    work: adoptTenant,
  },
] as const;

interface DataArgs extends TenantArgs {
  readonly source?: string;
  readonly tenant?: string;
  readonly file?: string;
  readonly names?: readonly string[];
  readonly schemaName?: string;
  readonly domainUrl?: string;
  readonly set?: string;
  readonly data?: readonly string[];
  readonly force?: boolean;
  readonly format?: string;
  readonly output?: string;
  readonly migrate?: boolean;
  readonly column?: string;
  readonly value?: string;
  readonly whole?: readonly string[];
  readonly without?: readonly string[];
  readonly keep?: boolean;
}
