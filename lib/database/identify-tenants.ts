import { helper, type Transaction } from '@mikro-orm/core';
import { LRUCache } from 'lru-cache';
import { forPublic } from '../connection/statements/sql-target.js';
import { TenantChangedError } from '../errors/index.js';
import { isDeletedName } from '../postgres/schema-name.js';
import type { IdentifiedTenant } from '../scope/make-scope.js';
import type { TenantIdentities } from '../scope/tenant-identities.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import type { TenantFilter } from '../tenant/options.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { identitySql } from './identity-sql.js';

type Tenant = TenantMixin<unknown>;

/** Tells which tenants rows are, however old these are: it goes by their keys. Where changes are heard it need not ask again. */
export class TenantIdentifier {
  readonly #orm: WrappedOrm;
  readonly #rules: TenantRules;
  readonly #findOne: (where: TenantFilter) => Promise<Tenant | undefined>;
  /** Made when there is something to be known: it takes a place for each at once. */
  #known: LRUCache<string, TenantIdentity> | undefined;

  constructor(orm: WrappedOrm, rules: TenantRules, findOne: (where: TenantFilter) => Promise<Tenant | undefined>) {
    this.#orm = orm;
    this.#rules = rules;
    this.#findOne = findOne;
  }

  /**
   * The tenants of the rows; undefined for one that is no tenant any more. What was renamed since its row was loaded comes with its row as
   * it is now.
   */
  async identify<Row extends Tenant>(rows: readonly Row[]): Promise<(IdentifiedTenant<Row> | undefined)[]> {
    const found: (IdentifiedTenant<Row> | undefined)[] = Array.from({ length: rows.length });
    let open = [...rows.entries()];

    // again for one that is renamed while its row is read
    for (let attempt = 0; open.length > 0; attempt++) {
      if (attempt === ATTEMPTS) {
        throw new TenantChangedError(open[0]?.[1].schemaName ?? '');
      }

      const states = await this.#read(open.map(([, row]) => row));
      const renamed: typeof open = [];

      for (const [nr, [index, row]] of open.entries()) {
        const state = states[nr];

        if (state !== undefined && state.schemaName === row.schemaName) {
          found[index] = { row, identity: state };
        } else if (state !== undefined) {
          renamed.push([index, row]);
        }
      }

      open = [];

      for (const [index, row] of renamed) {
        const now = await this.#findOne(helper(row).getPrimaryKey() as TenantFilter);

        if (now !== undefined) {
          open.push([index, now as Row]);
        }
      }
    }

    return found;
  }

  async #read(rows: readonly Tenant[]): Promise<(TenantIdentity | undefined)[]> {
    const keys = rows.map(row => helper(row).getSerializedPrimaryKey());
    // what a transaction sees is its own
    const ctx: Transaction | undefined = this.#orm.em.getTransactionContext();
    const known = rows.map((_, index) => (ctx === undefined ? this.#heard(keys[index] ?? '') : undefined));
    const asked = rows.flatMap((row, index) => (known[index] === undefined ? [{ index, row }] : []));

    for (let from = 0; from < asked.length; from += BATCH) {
      const batch = asked.slice(from, from + BATCH);
      const states = await this.#ask(
        batch.map(({ row }) => row),
        ctx,
      );
      batch.forEach(({ index }, nr) => {
        known[index] = states[nr];
      });
    }

    return known;
  }

  #heard(key: string): TenantIdentity | undefined {
    const known = this.#known?.get(key);

    return known !== undefined && this.#identities.isHeard(known) ? known : undefined;
  }

  /** Whether the tenant is the one of its name still. */
  async isCurrent(identity: TenantIdentity): Promise<boolean> {
    const [state] = await this.#stored([identity.keyValues], this.#orm.em.getTransactionContext());

    return state?.name === identity.schemaName && schemaOidOf(state) === identity.schemaOid;
  }

  /** The name of the tenant whose row has these columns as its key now. Undefined if there is none. */
  async nameOf(keyValues: readonly unknown[]): Promise<string | undefined> {
    const [state] = await this.#stored([keyValues], this.#orm.em.getTransactionContext());

    return state?.name;
  }

  async #ask(rows: readonly Tenant[], ctx: Transaction | undefined): Promise<(TenantIdentity | undefined)[]> {
    const confirmations = this.#identities.confirmationsOf('write');
    const askedAt = confirmations.now();
    const keyValues = rows.map(row => helper(row).getPrimaryKeys(true) as unknown[]);
    const states: (TenantIdentity | undefined)[] = Array.from({ length: rows.length });

    for (const state of await this.#stored(keyValues, ctx)) {
      const { nr, name } = state;
      const key = helper(rows[nr] as Tenant).getSerializedPrimaryKey();
      const identity = { schemaName: name, key, keyValues: keyValues[nr] ?? [], schemaOid: schemaOidOf(state) };
      states[nr] = identity;

      if (ctx === undefined) {
        confirmations.confirm(identity, askedAt, state.mark ?? undefined);
        this.#known ??= new LRUCache({ max: MAX_KNOWN });
        this.#known.set(key, identity);
      }
    }

    return states;
  }

  async #stored(keyValues: readonly (readonly unknown[])[], ctx: Transaction | undefined): Promise<State[]> {
    const sql = identitySql(this.#rules, keyValues.length);
    // in nobody's role
    const states = await forPublic(this.#orm.config, () => this.#orm.em.getDriver().execute<State[]>(sql, keyValues.flat(), 'all', ctx));

    return states.filter(({ name }) => !isDeletedName(name));
  }

  get #identities(): TenantIdentities {
    return this.#rules.identities;
  }
}

// drivers give it as a number or as a text
function schemaOidOf({ oid }: State): string | undefined {
  return oid === null ? undefined : String(oid);
}

/** So many need not be asked for again. */
const MAX_KNOWN = 10_000;

/** How often one is looked up that is renamed again and again. */
const ATTEMPTS = 10;

/** How many are asked for in one statement. */
const BATCH = 100;

interface State {
  readonly nr: number;
  readonly name: string;
  readonly oid: number | string | null;
  readonly mark: string | null;
}
