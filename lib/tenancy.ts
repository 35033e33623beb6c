import type { Configuration } from '@mikro-orm/core';
import type { TenantDatabase } from './database/tenant-database.js';
import type { DirectoryKey } from './directory/directory-key.js';
import type { Directory } from './directory/directory.js';
import type { HeldRow } from './directory/held-tenant.js';
import { openDirectory } from './directory/open-directory.js';
import { OrmSelectionError } from './errors/index.js';
import { enterScope } from './orm/mikro-context.js';
import type { TenantEntityManager } from './orm/tenant-entity-manager.js';
import { selectOrm, type OrmOption } from './scope/live-orms.js';
import type { Scope } from './scope/scope.js';
import type { TenantRules } from './scope/tenant-rules.js';

/** One ORM with tenants, as the API, the web edge and the command line use it. Kept as an extension of the ORM's config. */
export class Tenancy {
  static readonly EXTENSION = '@landlord/mikro-orm';

  readonly rules: TenantRules;
  readonly database: TenantDatabase;
  #directory: Directory<HeldRow> | undefined;

  /** @throws OrmSelectionError `ORM_WITHOUT_TENANTS` */
  static of(config: Configuration): Tenancy {
    const tenancy = config.getExtension<Tenancy>(Tenancy.EXTENSION);

    if (tenancy === undefined) {
      throw OrmSelectionError.withoutTenants();
    }

    return tenancy;
  }

  /**
   * The one to work with: that of `{ orm }`, else that of the scope the flow is in, else the only live one.
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

  /** Who is meant by a request. It does nothing until it is first asked. */
  get directory(): Directory<HeldRow> {
    return (this.#directory ??= openDirectory(this.database));
  }

  enter<Result>(scope: Scope, fn: (em: TenantEntityManager) => Result): Result {
    return enterScope(this.database.orm.em, scope, fn);
  }

  /**
   * Who is meant by a request. At once where the directory knows.
   *
   * @throws DirectoryUnavailableError `DIRECTORY_UNAVAILABLE`
   */
  findHeld(key: DirectoryKey): HeldRow | undefined | Promise<HeldRow | undefined> {
    // what a transaction has done is seen in it, and by nobody else
    return this.database.isInTransaction ? this.#findInTransaction(key) : this.directory.find(key);
  }

  async #findInTransaction({ property, value }: DirectoryKey): Promise<HeldRow | undefined> {
    const row = await this.database.tenants.findOne({ [property]: value });

    const tenant = row && (await this.database.tenants.identify([row]))[0];

    return tenant && { schemaName: tenant.row.schemaName, identity: tenant.identity, copy: () => tenant.row };
  }
}
