import type { Configuration } from '@mikro-orm/core';
import type { TenantDatabase } from './database/tenant-database.js';
import type { DirectoryKey } from './directory/directory-key.js';
import type { Directory } from './directory/directory.js';
import type { HeldRow } from './directory/held-tenant.js';
import { TenantWatch } from './directory/tenant-watch.js';
import { openDirectory } from './directory/open-directory.js';
import { OrmSelectionError } from './errors/index.js';
import { enterScope, leaveScope, outsideEndedTransaction } from './orm/mikro-context.js';
import { logFailure } from './orm/tenant-hooks.js';
import type { TenantEntityManager } from './orm/tenant-entity-manager.js';
import { selectOrm, type OrmOption } from './scope/live-orms.js';
import type { Scope } from './scope/scope.js';
import type { TenantRules } from './scope/tenant-rules.js';
import { stateOf } from './tenant/tenant-state.js';

/** The facade of one ORM with tenants, for the API, the web edge and the command line. It is stored as an extension of the ORM's config. */
export class Tenancy {
  static readonly EXTENSION = '@landlord/mikro-orm';

  readonly rules: TenantRules;
  readonly database: TenantDatabase;
  #directory: Directory<HeldRow> | undefined;
  #watch: TenantWatch | undefined;

  /** @throws OrmSelectionError `ORM_WITHOUT_TENANTS` */
  static of(config: Configuration): Tenancy {
    const tenancy = config.getExtension<Tenancy>(Tenancy.EXTENSION);

    if (tenancy === undefined) {
      throw OrmSelectionError.withoutTenants();
    }

    return tenancy;
  }

  /**
   * Selects the ORM: that of `{ orm }`, else that of the current scope, else the only live one.
   *
   * @throws OrmSelectionError `ORM_WITHOUT_TENANTS`, `NO_ORM` or `SEVERAL_ORMS`.
   */
  static select(options?: OrmOption): Tenancy {
    return Tenancy.of(selectOrm(options) as Configuration);
  }

  constructor(database: TenantDatabase) {
    this.rules = database.rules;
    this.database = database;
  }

  /** Finds the tenant of a request. It is created on first use. */
  get directory(): Directory<HeldRow> {
    return (this.#directory ??= openDirectory(this.database));
  }

  /** Watches tenants that something is open for. It is created on first use. */
  get watch(): TenantWatch {
    if (this.#watch === undefined) {
      // made first: it has to forget a tenant before that is looked at
      const { directory } = this;
      const watch = new TenantWatch(this.database.changes, {
        find: key => leaveScope(() => directory.find(key)),
        onFailure: error => logFailure(this.database, error),
      });
      this.#watch = watch;
      this.database.onClose(async () => watch.close());
    }

    return this.#watch;
  }

  /** Runs `fn` in the transaction that the caller is in, unless that has ended. */
  inOpenTransaction<Result>(fn: () => Result): Result {
    return outsideEndedTransaction(this.database.orm.em, fn);
  }

  enter<Result>(scope: Scope, fn: (em: TenantEntityManager) => Result): Result {
    const { observer } = this.rules;

    return enterScope(this.database.orm.em, scope, observer === undefined ? fn : em => observer.entered(scope, () => fn(em)));
  }

  /**
   * Finds the tenant of a request. Returns it without a promise if the directory has it in memory.
   *
   * @throws DirectoryUnavailableError `DIRECTORY_UNAVAILABLE`
   */
  findHeld(key: DirectoryKey): HeldRow | undefined | Promise<HeldRow | undefined> {
    // only a query in the transaction sees its uncommitted changes
    return this.database.isInTransaction ? this.#findInTransaction(key) : this.directory.find(key);
  }

  async #findInTransaction(key: DirectoryKey): Promise<HeldRow | undefined> {
    const { hosts, orm } = this.database;
    const ctx = orm.em.getTransactionContext();

    if (hosts !== undefined && key.property === 'domainUrl') {
      const found = await hosts.findTenants([key.value], ctx, async ([schemaName = '']) => {
        const held = await this.#readHeld('schemaName', schemaName);

        return new Map(held === undefined ? [] : [[schemaName, held]]);
      });

      return found.get(key.value);
    }

    const held = await this.#readHeld(key.property, key.value);

    return held && { ...held, primaryHost: (await hosts?.primaryOf([held.schemaName], ctx))?.get(held.schemaName) };
  }

  async #readHeld(property: string, value: string): Promise<HeldRow | undefined> {
    const { tenants } = this.database;
    const row = await tenants.findOneServed({ [property]: value });
    const tenant = row && (await tenants.identify([row]))[0];

    return (
      tenant && {
        schemaName: tenant.row.schemaName,
        identity: tenant.identity,
        state: stateOf(tenant.row),
        copy: () => tenant.row,
      }
    );
  }
}
