import { parseArgs } from 'node:util';
import { CLIHelper } from '@mikro-orm/cli';
import { helper } from '@mikro-orm/core';
import type { TenantService } from '../api/tenant-service.js';
import { RunUsageError } from '../errors/index.js';
import { Tenancy } from '../tenancy.js';
import { ask, isOnTerminal } from './ask.js';
import type { CommandLine } from './command-line.js';
import { EXIT } from './exit.js';
import { propertiesOf, store } from './new-row.js';
import { print, writeJson } from './output.js';
import type { TenantArgs } from './tenant-args.js';
import { fieldsOf, type TenantField } from './tenant-fields.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `tenant:create`: a tenant of the flags of its entity. On a terminal, what is required and not given is asked for. */
export function createTenant(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async service => {
    const fields = fieldsOf(service.tenantMeta);
    const data = { ...dataOf(service, args), ...Object.fromEntries(fields.flatMap(field => valueOf(field, args))) };
    const missing = fields.filter(({ name, isRequired }) => isRequired && data[name] === undefined);

    if (missing.length > 0 && !isOnTerminal()) {
      throw RunUsageError.missing(missing.map(({ flag }) => flag));
    }

    for (const field of missing) {
      data[field.name] = await ask(`${field.name} (${field.takes})`, answer => checked(service, field, answer));
    }

    return create(service, data, args);
  });
}

async function create(service: TenantService, data: Readonly<Record<string, unknown>>, { json, schema }: TenantArgs): Promise<number> {
  const settings = schema === undefined ? {} : { autoCreateSchema: String(schema) !== 'false' };
  const tenant = await store('--data', () => service.create(data as never, settings));
  const { schemaName, domainUrl } = tenant;

  if (json === true) {
    writeJson('created', { schemaName, domainUrl, key: helper(tenant).getPrimaryKey() });
  } else {
    print(`${schemaName} created, on the host ${domainUrl}`, 'green');
  }

  return EXIT.done;
}

/** What can be said of an answer before the tenant is created. */
function checked({ rules }: TenantService, field: TenantField, answer: string): unknown {
  const value = field.parse(answer);

  return field.name === 'schemaName' && value !== rules.publicSchema ? rules.checkSchemaName(value) : value;
}

/** Adds the flags of the tenant's entity, where there is a project whose config can be read. */
export async function addFieldOptions(commandLine: CommandLine, given: readonly string[]): Promise<CommandLine> {
  const { config, contextName, context } = parseArgs({
    args: [...given],
    strict: false,
    options: { config: { type: 'string', multiple: true }, contextName: { type: 'string' }, context: { type: 'string' } },
  }).values;
  const name = contextName ?? context;

  try {
    const orm = await CLIHelper.getORM(typeof name === 'string' ? name : undefined, config?.map(String));

    try {
      const { tenantMeta } = Tenancy.of(orm.config).rules;

      for (const field of fieldsOf(tenantMeta)) {
        const { flag, isBoolean, isRequired, takes } = field;
        commandLine.option(flag.slice(2), {
          type: isBoolean ? 'boolean' : 'string',
          desc: `${field.name}: ${takes}${isRequired ? '; required' : ''}`,
        });
      }
    } finally {
      await orm.close(true);
    }
  } catch {
    // the command itself says what is wrong with the config
  }

  return commandLine;
}

function valueOf(field: TenantField, args: TenantArgs): [string, unknown][] {
  const given = args[field.name];

  if (given === undefined) {
    return [];
  }

  // `--no-paid-until`
  if (given === false && !field.isBoolean) {
    if (!field.isNullable) {
      throw RunUsageError.option(field.flag, null, field.takes);
    }

    return [[field.name, null]];
  }

  if (Array.isArray(given)) {
    throw RunUsageError.option(field.flag, given, `${field.takes}, given once`);
  }

  return [[field.name, typeof given === 'boolean' ? given : field.parse(`${given as string | number}`)]];
}

function dataOf(service: TenantService, { data }: TenantArgs): Record<string, unknown> {
  const json = data === undefined ? undefined : String(data);

  return propertiesOf(service, { option: '--data', json, expected: 'properties of the tenant entity as a JSON object' });
}
