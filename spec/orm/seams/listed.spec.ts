import { EntityFactory, ObjectHydrator, UnitOfWork } from '@mikro-orm/core';
import { BasePostgreSqlEntityManager, PostgreSqlDriver, QueryBuilder, QueryBuilderHelper, SqlSchemaGenerator } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { TenantEntityFactory } from '../../../dist/entities/tenant-entity-factory.js';
import { TenantUnitOfWork } from '../../../dist/entities/tenant-unit-of-work.js';
import { TenantSchemaGenerator } from '../../../dist/migrations/set/tenant-schema-generator.js';
import { guardedDriverOf, guardedEntityManagerOf, guardedHydratorOf } from '../../../dist/orm/guarded-classes.js';
import { PREFERENCES, SEAMS } from '../../../dist/orm/seams/register.js';
import { GuardedQueryHelper } from '../../../dist/query/guarded-query-helper.js';
import { TenantQueryBuilder } from '../../../dist/query/tenant-query-builder.js';
import { prototypesOf, type Open } from '../../support/seams/breakages.ts';
import { findUses, type Use } from '../../support/seams/find-uses.ts';
import { internalsOf } from '../../support/seams/internals.ts';
import { tableOfSeams } from '../../support/seams/table.ts';
import { ROOT } from '../../support/orm/library-orm.ts';

/** What the finder finds and is no seam, by the reason. */
const NO_SEAMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'it is a member of the library or of its users': {
    'provisioning/domain-changes.ts': ['(computed)', 'domain'],
    'api/deletion-service.ts': ['autoDropSchema'],
    'api/tenant-service.ts': ['autoCreateSchema', 'autoDropSchema', 'domainUrl', 'schemaName'],
    'cli/data-commands.ts': ['clone'],
    'cli/new-tenant-command.ts': ['(computed)'],
    'cli/placement-commands.ts': ['json'],
    'cli/with-tenants-of.ts': ['quiet'],
    'connection/statements/built-queries.ts': ['(computed)'],
    'connection/guard/guarded-dialect.ts': ['place', 'session'],
    'connection/guard/guarded-transaction.ts': ['known'],
    'connection/guard/one-message.ts': ['known'],
    'connection/guard/guarded-connection.ts': ['failure', 'hasBegun', 'hasKeptPath'],
    'connection/statements/sealed-values.ts': ['FILLING'],
    'connection/pool/places.ts': ['open', 'used'],
    'connection/guard/statement-runner.ts': ['isOpen', 'notesSessions'],
    'connection/pool/pooled-connection.ts': ['pid'],
    'connection/guard/search-path.ts': ['path', 'pid'],
    'database/change-trigger.ts': ['schemaName'],
    'database/tenant-database.ts': ['onEnd'],
    'entities/flush-guard.ts': ['flushGuard'],
    'entities/removed-entities.ts': ['(computed)'],
    'entities/tenant-entity-factory.ts': ['boundScope', 'config', 'owner', 'schema'],
    'entities/tenant-unit-of-work.ts': ['boundScope', 'config', 'find', 'getMetadata', 'owner', 'schema'],
    'directory/lookups.ts': ['askedAt', 'changed', 'limit'],
    'directory/notice-connections.ts': ['isHeard'],
    'directory/open-directory.ts': ['wouldHaveHeard'],
    'orm/guarded-filters.ts': ['given'],
    'migrations/run/new-enums.ts': ['current', 'isOpen'],
    'migrations/run/after-attempt.ts': ['busySince', 'dueAt', 'losses', 'timeouts'],
    'migrations/run/tenant-states.ts': ['alone', 'sent'],
    'orm/tenant-driver.ts': ['name'],
    'postgres/transaction-statements.ts': ['(computed)'],
    'scope/carried-tenants.ts': ['(computed)'],
    'orm/other-orms.ts': ['em'],
    'orm/tenant-entity-manager.ts': ['boundScope', 'isOnlyOfScope'],
    'orm/tenant-hooks.ts': [
      'afterCommit',
      'afterCreate',
      'afterMigrate',
      'afterRename',
      'beforeCreate',
      'beforeDrop',
      'beforeMigrate',
      'beforeReport',
      'onError',
      'tell',
      'timeoutMs',
    ],
    'telemetry/observe-tenants.ts': ['observer'],
    'provisioning/tenant-changes.ts': ['(computed)', 'domainUrl', 'schemaName'],
    'query/kysely-names.ts': ['(computed)'],
    'query/kysely-nodes.ts': ['(computed)'],
    'query/tenant-query-builder.ts': ['clonedFrom', 'guard', 'taken'],
    'web/core/found-tenant.ts': ['(computed)', 'tenant'],
    'web/fastify/tenant-context.ts': ['(computed)'],
    'web/nest/tenant-middleware.ts': ['(computed)'],
    'web/nest/tenants-module.ts': ['forRoot', 'forRootAsync'],
    'testing/clients.ts': ['(any)'],
    'scope/live-orms.ts': ['landlordLiveOrms'],
    'testing/runners/server-setup.ts': ['landlordTestServer', 'server'],
    'testing/test-tenants.ts': ['autoDropSchema'],
    'testing/transaction/turns.ts': ['isAdmitted'],
    'with-tenants.ts': ['bindToScope', 'em', 'persistAndFlush', 'removeAndFlush'],
  },
  'its package documents it': {
    'api/report/report-template.ts': ['applyFilters', 'createQueryBuilder'],
    'provisioning/domain-subscriber.ts': ['afterCreate', 'afterDelete', 'afterUpdate', 'getSubscribedEntities'],
    'cli/run-cli.ts': ['command', 'describe', 'option', 'parse', 'positional'],
    'connection/pool/lost-connections.ts': ['driverOptions', 'onPoolCreated', 'pg'],
    'connection/pool/pooled-connection.ts': ['pg'],
    'connection/check/schema-check-sql.ts': ['routine', 'where'],
    'connection/pool/message-around.ts': ['position'],
    'connection/guard/sql-guard.ts': ['driverOptions'],
    'database/tenant-database.ts': ['getClient'],
    'database/tenants-table.ts': ['createQueryBuilder'],
    'directory/notice-connections.ts': ['password', 'pg'],
    'entities/filter-conditions.ts': ['rls'],
    'entities/flush-errors.ts': ['constraint', 'detail'],
    'entities/lazy-loading.ts': ['owner', 'unwrap'],
    'errors/hint-of.ts': ['code', 'routine'],
    'postgres/statement-block.ts': ['where'],
    'migrations/run/new-migration.ts': ['Migration'],
    'migrations/set/only-schemas.ts': ['execute'],
    'migrations/set/snapshot-name.ts': ['snapshotName'],
    'migrations/set/migration-set.ts': ['name', 'replaces'],
    'provisioning/tenant-subscriber.ts': [
      'afterCreate',
      'afterUpdate',
      'afterDelete',
      'beforeDelete',
      'beforeFlush',
      'beforeUpdate',
      'getSubscribedEntities',
      'onFlush',
    ],
    'tenant/entity-kinds.ts': ['defineEntity'],
    'tenant/is-pglite.ts': ['pg'],
    'tenant/table-names.ts': ['(computed)', 'name', 'qualifiedName', 'schema', 'toString'],
    'web/express/mount.ts': ['(computed)', 'baseUrl', 'url'],
    'web/fastify/schema-router.ts': ['constraints', 'register'],
    'web/fastify/tenant-context.ts': ['raw'],
    'web/fastify/web-request.ts': ['raw', 'tenant'],
    'web/hono/keep-scope.ts': ['res'],
    'web/hono/tenant-variable.ts': ['(computed)', 'get', 'set', 'var'],
    'web/hono/tenant-context.ts': ['incoming'],
    'testing/clients.ts': ['inject'],
    'testing/kit.ts': ['close'],
    'testing/leaks/send.ts': ['ready', 'server'],
    'testing/runners/jest.ts': ['afterAll', 'afterEach', 'beforeAll', 'beforeEach', 'currentTestName', 'expect', 'getState'],
    'testing/runners/mocha.ts': ['mochaHooks'],
    // it is documented, and a test whose statement it does not see is not rolled back by it either: the specs of the kit would fail
    'testing/transaction/pinned-pool.ts': ['getTransactionStatus', 'pg', 'query'],
    'web/koa/keep-scope.ts': ['body'],
    'web/koa/tenant-context.ts': ['body', 'status', 'url'],
    'web/nest/scope-guards.ts': ['canActivate'],
    'web/nest/tenant-interceptor.ts': ['intercept'],
    'web/nest/tenants-module.ts': ['configure'],
    'web/node/upgrades.ts': ['emit'],
  },
  'Node.js, HTTP or the language has it': {
    'connection/pool/server-status.ts': ['stack'],
    'errors/domain-errors.ts': ['stack'],
    'cli/bin.ts': ['exitCode'],
    'cli/shell-command.ts': ['(computed)', 'LANDLORD_HISTORY', 'eval'],
    'cli/run-cli.ts': ['FORCE_COLOR', 'MIKRO_ORM_ALLOW_GLOBAL_CLI', 'NO_COLOR', 'exitCode'],
    'errors/scope-errors.ts': ['name'],
    'errors/tenant-error.ts': ['name'],
    'errors/web-errors.ts': ['stack'],
    'orm/tenant-entity-manager.ts': ['(computed)'],
    'postgres/sql-state.ts': ['code', 'rollbackError', 'syscall'],
    'postgres/unqualified-names.ts': ['lastIndex'],
    'web/core/forwarded-host.ts': ['x-forwarded-host'],
    'web/core/keep-scope.ts': ['(computed)', '_destroy', '_read', 'content-length', 'emit', 'transfer-encoding'],
    'web/core/web-request.ts': [':authority', 'host'],
    'web/express/tenant-context.ts': ['x-forwarded-host'],
    'web/fastify/web-request.ts': [':authority', 'x-forwarded-host'],
    'web/hono/tenant-context.ts': ['host'],
    'web/nest/tenants-module.ts': ['x-forwarded-host'],
    'web/node/tenant-context.ts': ['statusCode', 'url'],
    'testing/database/admin.ts': ['pathname'],
    'testing/database/pglite-database.ts': ['version'],
    'testing/database/server.ts': ['DATABASE_URL'],
    'testing/database/template-hash.ts': ['version'],
    'testing/runners/node.ts': ['fullName'],
  },
  'it is of an object that the library has made': {
    'connection/pool/pooled-tenants.ts': ['(computed)'],
    'connection/pool/served-first.ts': ['(computed)'],
    'database/identify-tenants.ts': ['(computed)'],
    'database/server-facts.ts': ['autovacuum', 'track_counts'],
    'postgres/name-scanner.ts': ['hasInto', 'hasJoin', 'inTableList', 'previous', 'word'],
    'postgres/word-rules.ts': ['end'],
    'directory/held-tenant.ts': ['(computed)'],
    'entities/lazy-loading.ts': ['(computed)'],
    'entities/tenant-hydrator.ts': ['name'],
    'migrations/set/tenant-migrator.ts': ['config'],
    'migrations/set/tenant-schema-generator.ts': ['nativeEnumName', 'referencedTableName', 'schema'],
    'web/express/mount.ts': ['own'],
    'orm/guarded-reads.ts': ['schema'],
    'orm/tenant-routines.ts': ['schema'],
    'query/guarded-query-helper.ts': ['query'],
  },
  'what it has of others are rows of other files': {
    'entities/shared-relations.ts': ['populate'],
    'orm/public-extensions.ts': ['(any)', '(computed)'],
    'entities/lazy-loading.ts': ['(any)'],
    'migrations/set/free-timestamps.ts': ['(any)'],
    'migrations/set/tenant-migrator.ts': ['(any)'],
    'orm/tenant-driver.ts': ['connectionType', 'ctx'],
    'query/guarded-query-helper.ts': ['(computed)'],
    'query/tenant-query-builder.ts': ['(computed)', 'ctes', 'joins', 'meta', 'name', 'populate', 'rawTableName', 'schema'],
  },
  'the rows have its name, which a list in the code has too': {
    'connection/pool/control-calls.ts': ['(computed)'],
    'query/carrying-queries.ts': ['(computed)'],
    'orm/connection-of-em.ts': ['(any)'],
    'query/kysely-executor.ts': ['(any)'],
    'connection/pool/lost-connections.ts': ['(computed)'],
    'connection/statements/sealed-values.ts': ['(computed)'],
  },
  "it looks at a class of the user's": {
    'tenant/class-fields.ts': ['(any)', '(computed)'],
    'tenant/constructor-data.ts': ['(any)', '(computed)'],
    'entities/tenant-hydrator.ts': ['array', 'desc', 'type'],
  },
  'nothing is lost where it is not there': {
    // a fork that does not come of it is refused
    'orm/entity-manager-class.ts': ['constructor'],
    // no replica is then looked at
    'api/doctor/check-replicas.ts': ['execute', 'replicas'],
    // no tenant is then seeded, and an error says so
    'api/seed.ts': ['seedString'],
    // it has no option `--tenants` then, which yargs refuses
    'cli/life-commands.ts': ['seeder:run'],
    // a statement is then sent without its comment
    'connection/statements/sql-tags.ts': ['executeQuery', 'streamQuery'],
    // a helper that is made without it fails at the first query
    'query/tenant-query-builder.ts': ['driver'],
    // MikroORM's own message is then shown
    'tenant/missing-key.ts': ['fromMissingPrimaryKey'],
    'database/on-commit.ts': ['isCommitted', 'isRolledBack'],
    'entities/filter-conditions.ts': ['name'],
    // a run over tenants fails before it begins
    'migrations/run/selection.ts': ['getStorage'],
    // the plugin is then not registered
    'web/fastify/web-request.ts': ['prototype'],
    // the option of the config, which MikroORM keeps for the process. Without it a file is imported once
    'migrations/set/migration-set.ts': ['dynamicImportProvider'],
    // the ORM sends nothing until it has been looked at, whoever awaits that
    'with-tenants.ts': ['skipSyncDiscovery'],
  },
};

/** What looks at the seams. */
const CHECKS = /^orm\/seams\/|\/seam-probes\.ts$|^cli\/check-command-line\.ts$/;

/** What packages declare as internal somewhere, and what has the same name elsewhere. */
const COMMON = new Set(['class', 'constructor', 'em', 'property', 'signal', 'sort', 'state']);

const INTERNALS = new Set(
  [...internalsOf(['@mikro-orm/core', '@mikro-orm/sql', '@mikro-orm/migrations'])].filter(name => !COMMON.has(name)),
);

describe('The register of seams', () => {
  const sources = sourcesOf(join(ROOT, 'lib'));
  const uses = findUses(sources, INTERNALS);

  it('G1 names what lib/ overrides, replaces and reaches of other packages, with the file that does', () => {
    const unlisted = uses.filter(use => !isRow(use) && !isKnown(use));

    expect(unlisted).to.deep.equal([]);
  });

  it('G1 names what the classes of lib/ have of those they extend, with or without saying so', () => {
    const unlisted = overridingClasses().flatMap(({ of, ours, base }) =>
      Object.getOwnPropertyNames(ours)
        .filter(member => member !== 'constructor' && member in base)
        .filter(member => !SEAMS.some(row => row.member === member && row.use === 'override'))
        .map(member => `${of}.${member}`),
    );

    expect(unlisted).to.deep.equal([]);
  });

  it('G1 calls overridden what lib/ overrides', () => {
    const overridden = uses.filter(({ kind }) => kind === 'override');
    const others = overridden.filter(
      use => !SEAMS.some(row => row.member === use.member && row.usedIn.includes(use.file) && row.use === 'override'),
    );

    expect(overridden.length).to.be.greaterThan(50);
    expect(others).to.deep.equal([]);
  });

  it('G1 has no row that the files it names do not use', () => {
    const unused = [...SEAMS, ...PREFERENCES].flatMap(({ name, member, usedIn }) =>
      usedIn.filter(file => !codeOf(file).some(word => word === member)).map(file => `${name}: ${file}`),
    );

    expect(unused).to.deep.equal([]);
  });

  it('G1 has a row for each seam but once, and each says what it protects', () => {
    expect(new Set(SEAMS.map(({ name }) => name)).size).to.equal(SEAMS.length);
    expect(SEAMS.filter(({ protects, usedIn }) => protects === '' || usedIn.length === 0)).to.deep.equal([]);
  });

  it('G1 is the table of docs/seams.md', () => {
    const rows = readFileSync(join(ROOT, 'docs/seams.md'), 'utf8')
      .split('\n')
      .filter(line => line.startsWith('| `'))
      .map(line => line.replaceAll(/ +/g, ' '));

    expect(rows).to.deep.equal(tableOfSeams());
  });

  it('G1 each file whose comments say what it relies on has a row', () => {
    const relying = [...sources].filter(([, source]) => /\brelies on\b/i.test(source)).map(([file]) => file);

    expect(relying.length).to.be.greaterThan(10);
    expect(relying.filter(file => !SEAMS.some(({ usedIn }) => usedIn.includes(file)) && file !== 'tenant/is-pglite.ts')).to.deep.equal([]);
  });

  it('G1 knows of nothing that is no longer there', () => {
    const stale = Object.values(NO_SEAMS)
      .flatMap(files => Object.entries(files).flatMap(([file, members]) => members.map(member => ({ file, member }))))
      .filter(({ file, member }) => !uses.some(use => use.file === file && use.member === member && !isRow(use)));

    expect(stale).to.deep.equal([]);
  });

  for (const [what, source, kind, member] of [
    ['an override', 'class A extends B { override findAll() {} }', 'override', 'findAll'],
    ['an override of a class expression', 'const A = class extends B { protected override async *findAll() {} }', 'override', 'findAll'],
    [
      'an interface of a package that is implemented',
      "import type { P } from 'kysely'; class A implements P { transformQuery() {} }",
      'implements',
      'transformQuery',
    ],
    ['access to what is private', "em['unitOfWork'].clear();", 'private access', 'unitOfWork'],
    ['access to what is private, where it may be missing', "em?.['unitOfWork'];", 'private access', 'unitOfWork'],
    ['a method that is replaced', 'const find = em.find.bind(em); em.find = () => find();', 'assignment', 'find'],
    [
      'a method that is replaced by a name that is computed',
      'for (const name of NAMES) { em[name] = () => undefined; }',
      'assignment',
      '(computed)',
    ],
    ['a prototype that is changed', 'Collection.prototype.init = function () {};', 'assignment', 'init'],
    ['a field of what a class extends', 'class A extends B { bind() { this.schema = undefined; } }', 'assignment', 'schema'],
    ['a property that is defined', "Object.defineProperty(em, 'config', { value: 1 });", 'definition', 'config'],
    ['a property of an object that is put before another', 'Object.create(driver, { find: { value: find } });', 'definition', 'find'],
    ['what is assigned to an object', 'Object.assign(loader, { load() {} });', 'definition', 'load'],
    ['another prototype', 'Object.setPrototypeOf(query, Other.prototype);', 'definition', '(computed)'],
    ['a proxy', 'new Proxy(loader, { get: () => 1 });', 'proxy', '(any)'],
    ['access by a cast to any', '(em as any).findAll();', 'cast', 'findAll'],
    ['access by a cast to a type of its own', '(em as { findAll(): void }).findAll();', 'cast', 'findAll'],
    [
      'access by an interface of its own',
      'interface Open { findAll(): void } const open = em as unknown as Open;',
      'open interface',
      'findAll',
    ],
    [
      'a class by an interface of its own',
      'type C = new () => Open; interface Open { findAll(): void } class A extends (B as unknown as C) {}',
      'open interface',
      'findAll',
    ],
    ['what a package declares as internal', 'em.getEntityLoader();', 'internal', 'getEntityLoader'],
    ['what is internal, taken apart', 'const { __schema } = helper(entity);', 'internal', '__schema'],
    ['what a comment names', '/** Relies on `orm.discoverLate()`, which is called late. */', 'comment', 'discoverLate'],
    ['what a comment of several lines names', '// relies on what MikroORM does\n// by `discoverLate`, and more', 'comment', 'discoverLate'],
  ] as const) {
    it(`G1 the finder finds ${what}`, () => {
      expect(findUses(new Map([['planted.ts', source]]), INTERNALS)).to.deep.include.members([
        { file: 'planted.ts', member, kind, ...(kind === 'open interface' ? { by: what.startsWith('a class') ? 'C' : 'Open' } : {}) },
      ]);
    });
  }

  function isRow({ file, member, by }: Use): boolean {
    return [...SEAMS, ...PREFERENCES].some(
      row =>
        row.member === member && row.usedIn.some(used => used === file || (by !== undefined && sources.get(used)?.includes(by) === true)),
    );
  }

  function codeOf(file: string): readonly string[] {
    return (sources.get(file) ?? '').replaceAll(/\/\*\*[^]*?\*\/|\/\/.*/g, '').match(/[\w$]+/g) ?? [];
  }
});

/** The prototypes that the library puts before MikroORM's, and what they are before. */
function overridingClasses(): { readonly of: string; readonly ours: object; readonly base: object }[] {
  const before = (of: string, Ours: Open, Base: Open): { readonly of: string; readonly ours: object; readonly base: object }[] =>
    prototypesOf(Ours, Base).map(ours => ({ of, ours, base: Base.prototype as object }));

  return [
    ...before('EntityManager', guardedEntityManagerOf(BasePostgreSqlEntityManager), BasePostgreSqlEntityManager),
    ...before('Driver', guardedDriverOf(PostgreSqlDriver), PostgreSqlDriver),
    ...before('QueryBuilder', TenantQueryBuilder, QueryBuilder),
    ...before('QueryBuilderHelper', GuardedQueryHelper, QueryBuilderHelper),
    ...before('Hydrator', guardedHydratorOf(ObjectHydrator), ObjectHydrator),
    ...before('UnitOfWork', TenantUnitOfWork, UnitOfWork),
    ...before('EntityFactory', TenantEntityFactory, EntityFactory),
    ...before('SqlSchemaGenerator', TenantSchemaGenerator, SqlSchemaGenerator),
  ];
}

function isKnown({ file, member, kind }: Use): boolean {
  return kind === 'comment' && member === '(no name)'
    ? true
    : Object.values(NO_SEAMS).some(files => files[file]?.includes(member) === true);
}

/** The source of each file but those that look at the seams, by its path in `lib/`. */
function sourcesOf(folder: string): Map<string, string> {
  const files = globSync('**/*.ts', { cwd: folder }).map(file => file.split(sep).join('/'));

  return new Map(files.filter(file => !CHECKS.test(file)).map(file => [file, readFileSync(join(folder, file), 'utf8')]));
}
