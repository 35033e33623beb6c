import type { EntityMetadata, TriggerDef } from '@mikro-orm/core';
import { RAISED } from '../postgres/raised-states.js';
import { quoteIdentifier, quoteTable } from '../postgres/schema-name.js';
import { channelOf } from './change-channel.js';

/**
 * Adds to the tables of tenants and of their domains what holds whoever writes them: a host has one tenant, a tenant with domains has exactly one
 * primary domain, and every process is told of changes. All of it becomes part of the public migration set.
 *
 * Locks are taken in one order, so that no two writers wait for each other: the row of a tenant (shared, as its foreign key does), the lock of
 * all domains, the lock of a host, the rows of domains. An update or a delete takes the lock of all domains before it begins, because PostgreSQL
 * locks a row before it calls its trigger. With a lock of the tenant alone, one writer that deletes the primary domain and one that makes another
 * the primary would each hold the row that the other needs.
 */
export function addDomainTriggers({ domains, tenant, publicSchema, stripWww }: DomainTables): void {
  const sql = new DomainSql(domains, tenant.root, publicSchema);
  const writes = ['insert', 'update', 'delete'] as const;
  addUnique(domains, sql.isPrimary);
  add(domains, { name: `${PREFIX}lock`, timing: 'before', events: ['update', 'delete'], forEach: 'statement', body: lockDomains(sql) });
  add(domains, {
    name: `${PREFIX}check`,
    timing: 'before',
    events: ['insert', 'update'],
    forEach: 'row',
    body: checkDomain(sql, stripWww),
  });
  add(domains, { name: `${PREFIX}settle`, timing: 'after', events: [...writes], forEach: 'row', body: settleDomain(sql) });
  add(tenant.root, { name: `${PREFIX}check`, timing: 'before', events: ['insert', 'update'], forEach: 'row', body: checkTenant(sql) });
}

/** A delete needs no lock if a foreign key makes it: the tenant goes with all of its domains, and the lock would be held while its schema is dropped. */
function lockDomains(sql: DomainSql): string {
  return `if tg_op = 'UPDATE' then ${needReadCommitted()} end if; if tg_op = 'UPDATE' or pg_catalog.pg_trigger_depth() = 1 then ${sql.lock} end if; return null`;
}

function checkDomain(sql: DomainSql, stripWww: boolean): string {
  const { tenants, domains, domain, isPrimary, domainUrl } = sql;
  const isMoved = `new.${domain} is distinct from old.${domain} or ${sql.tenantOf('new')} is distinct from ${sql.tenantOf('old')}`;
  const hasOther = `exists (select 1 from ${domains} as d where ${sql.tenantOf('d')} = ${sql.tenantOf('new')} and d.${isPrimary} is not false and ${sql.keyOf('d')} is distinct from ${sql.keyOf('new')})`;

  return [
    'declare "wished" boolean; begin',
    `if tg_op = 'INSERT' or ${isMoved} then`,
    `if new.${domain} !~ '^([[][0-9a-f:.]+]|[a-z0-9_]|[a-z0-9_][a-z0-9_.-]*[a-z0-9_])$'${stripWww ? ` or new.${domain} like 'www.%' and new.${domain} not like 'www.www.%'` : ''} then`,
    `raise exception 'The domain "%" is not in the form in which hosts are looked up.', new.${domain} using errcode = '${RAISED.hostNotCanonical}', detail = new.${domain}, hint = 'Write it in lower-case ASCII letters, without port, trailing dot${stripWww ? ' and www.' : ''}, or by a flush.'; end if;`,
    `perform 1 from ${tenants} as t where ${sql.idOf('t')} = ${sql.tenantOf('new')} for key share;`,
    `if tg_op = 'INSERT' then ${needReadCommitted()} ${sql.lock} end if;`,
    lockHost(`new.${domain}`),
    `if exists (select 1 from ${tenants} as t where t.${domainUrl} = new.${domain} and ${sql.idOf('t')} is distinct from ${sql.tenantOf('new')}) then ${raiseTaken(`new.${domain}`)} end if;`,
    'end if;',
    // what settles a wish: see below
    `if tg_op = 'UPDATE' and old.${isPrimary} is null then return new; end if;`,
    // null comes from an upsert, whose insert has been turned into a wish
    `"wished" = case when tg_op = 'INSERT' then new.${isPrimary} is true else new.${isPrimary} is null or (new.${isPrimary} and old.${isPrimary} is not true) end;`,
    // an update here of the other row would fail where the same statement updates it too, so a wish is left, as null, until all rows are written
    `if ${hasOther} then new.${isPrimary} = case when "wished" then null else false end;`,
    `elsif tg_op = 'INSERT' or new.${isPrimary} is null or ${sql.tenantOf('new')} is distinct from ${sql.tenantOf('old')} then new.${isPrimary} = true; end if;`,
    'return new; end',
  ].join(' ');
}

function settleDomain(sql: DomainSql): string {
  const { domains, isPrimary } = sql;
  const ofFormer = `${sql.tenantOf('d')} = ${sql.tenantOf('old')}`;
  const isLost = `tg_op = 'DELETE' or new.${isPrimary} is false or ${sql.tenantOf('new')} is distinct from ${sql.tenantOf('old')}`;
  const next = `select ${sql.keys('d')} from ${domains} as d where ${ofFormer} order by (${sql.keyOf('d')} = ${sql.keyOf('old')}), ${sql.keys('d')} limit 1`;

  return [
    `if tg_op <> 'INSERT' then ${sql.notify('old')} end if;`,
    `if tg_op <> 'DELETE' then ${sql.notify('new')} end if;`,
    `if tg_op <> 'DELETE' and new.${isPrimary} is null then`,
    `update ${domains} as d set ${isPrimary} = false where ${sql.tenantOf('d')} = ${sql.tenantOf('new')} and d.${isPrimary};`,
    `update ${domains} as d set ${isPrimary} = true where ${sql.keyOf('d')} = ${sql.keyOf('new')};`,
    `elsif tg_op <> 'INSERT' and old.${isPrimary} and (${isLost}) then`,
    `if not exists (select 1 from ${domains} as d where ${ofFormer} and d.${isPrimary} is not false) then`,
    `update ${domains} as e set ${isPrimary} = true where ${sql.keyOf('e')} = (${next}); end if;`,
    'end if;',
    'return null',
  ].join(' ');
}

function checkTenant(sql: DomainSql): string {
  const { domains, domain, domainUrl } = sql;

  return [
    `if tg_op = 'INSERT' or new.${domainUrl} is distinct from old.${domainUrl} then`,
    needReadCommitted(),
    lockHost(`new.${domainUrl}`),
    `if exists (select 1 from ${domains} as d where d.${domain} = new.${domainUrl} and ${sql.tenantOf('d')} is distinct from ${sql.idOf('new')}) then ${raiseTaken(`new.${domainUrl}`)} end if;`,
    'end if;',
    'return new',
  ].join(' ');
}

/** Who has a host is found by a look at the other table, under a lock. A transaction with an older snapshot would not see what was just stored. */
function needReadCommitted(): string {
  return (
    `if pg_catalog.current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then ` +
    `raise exception 'Hosts of tenants cannot be written in a transaction of this isolation level: it does not see hosts that others have stored meanwhile.' ` +
    `using errcode = '${RAISED.hostsNeedReadCommitted}', hint = 'Write them in a transaction of the level read committed.'; end if;`
  );
}

function lockHost(host: string): string {
  return `perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('landlord:host:' || ${host}, 0));`;
}

function raiseTaken(host: string): string {
  return `raise exception 'Another tenant already has the host "%".', ${host} using errcode = '${RAISED.hostTaken}', detail = ${host};`;
}

/** The names of the two tables and their columns. Each property is a piece of SQL. */
class DomainSql {
  readonly domains: string;
  readonly tenants: string;
  readonly domain: string;
  readonly isPrimary: string;
  readonly domainUrl: string;
  readonly lock: string;
  readonly #domainKeys: readonly string[];
  readonly #tenantKeys: readonly string[];
  readonly #foreignKeys: readonly string[];
  readonly #schemaName: string;
  readonly #channel: string;

  constructor(domains: EntityMetadata, tenant: EntityMetadata, publicSchema: string) {
    this.domains = quoteTable(domains.schema ?? publicSchema, domains.tableName);
    this.tenants = quoteTable(tenant.schema ?? publicSchema, tenant.tableName);
    [this.domain, this.isPrimary] = [columnOf(domains, 'domain'), columnOf(domains, 'isPrimary')];
    [this.domainUrl, this.#schemaName] = [columnOf(tenant, 'domainUrl'), columnOf(tenant, 'schemaName')];
    this.lock = `perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${text(`landlord:domains:${domains.schema ?? publicSchema}.${domains.tableName}`)}, 0));`;
    this.#domainKeys = keysOf(domains);
    this.#tenantKeys = keysOf(tenant);
    this.#foreignKeys = columnsOf(domains, 'tenant');
    this.#channel = text(channelOf(publicSchema, tenant.tableName));
  }

  keys(row: string): string {
    return this.#domainKeys.map(key => `${row}.${key}`).join(', ');
  }

  /** The key of a domain. */
  keyOf(row: string): string {
    return rowOf(row, this.#domainKeys);
  }

  /** The key of the tenant that a domain belongs to. */
  tenantOf(row: string): string {
    return rowOf(row, this.#foreignKeys);
  }

  /** The key of a tenant. */
  idOf(row: string): string {
    return rowOf(row, this.#tenantKeys);
  }

  /** Tells of the tenant that a domain belongs to. One that was deleted with its domains is told of elsewhere. */
  notify(row: string): string {
    return `perform pg_catalog.pg_notify(${this.#channel}, t.${this.#schemaName}) from ${this.tenants} as t where ${this.idOf('t')} = ${this.tenantOf(row)};`;
  }
}

function add(meta: EntityMetadata, trigger: TriggerDef): void {
  // the same metadata may be discovered more than once
  if (!meta.triggers.some(({ name }) => name === trigger.name)) {
    meta.triggers.push(trigger);
  }
}

function addUnique(meta: EntityMetadata, isPrimary: string): void {
  const name = `${meta.tableName}_one_primary`;

  if (!meta.uniques.some(each => each.name === name)) {
    meta.uniques.push({ name, properties: ['tenant'], where: isPrimary });
  }
}

function columnsOf(meta: EntityMetadata, name: string): string[] {
  return (meta.properties[name]?.fieldNames ?? []).map(quoteIdentifier);
}

function columnOf(meta: EntityMetadata, name: string): string {
  return columnsOf(meta, name)[0] ?? '';
}

function keysOf(meta: EntityMetadata): string[] {
  return meta.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames.map(quoteIdentifier));
}

function rowOf(row: string, columns: readonly string[]): string {
  const all = columns.map(column => `${row}.${column}`).join(', ');

  return columns.length === 1 ? all : `(${all})`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

const PREFIX = 'landlord_domains_';

interface DomainTables {
  readonly domains: EntityMetadata;
  readonly tenant: EntityMetadata;
  readonly publicSchema: string;
  readonly stripWww: boolean;
}
