/** What a seam is to be called in the sources of the packages: the files, by their URL, and what to write in place of what. */
export interface Rewrite {
  readonly files: string;
  readonly from: string;
  readonly to: string;
}

const MIKRO_ORM = '/@mikro-orm/(core|sql|postgresql)/';

/**
 * Seams that an upgrade would rename in all of its sources: fields, which are there on objects alone, what MikroORM itself cannot do without,
 * and two that were once seen to be bypassed.
 */
export const RENAMES: Readonly<Record<string, readonly Rewrite[]>> = {
  'QueryBuilder.getSchema': [
    { files: '/sql/query/QueryBuilder\\.js', from: '\\bgetSchema\\((?=alias\\)|this\\.mainAlias\\))', to: 'getSchemaOf(' },
  ],
  'EntityManager.processWhere': [
    { files: '/(EntityManager|SqlEntityManager)\\.js', from: '(em\\.|this\\.|async )processWhere\\(', to: '$1processCondition(' },
  ],
  'EntityManager.global': [{ files: MIKRO_ORM, from: '(\\.|^ {4})global\\b', to: '$1isGlobal' }],
  'Query.em': [{ files: '/sql/query/QueryBuilder\\.js', from: '(this\\.|^ {4})em\\b', to: '$1manager' }],
  'KyselyExecutor.transformQuery': [
    { files: '/kysely/dist/', from: 'executor\\.transformQuery\\(', to: 'executor.transformNode(' },
    { files: '/query-executor-base\\.js', from: '^ {4}transformQuery\\(', to: '    transformNode(' },
  ],
  'KyselyExecutor.compileQuery': [
    { files: '/kysely/dist/', from: '(#props\\.|\\b)executor\\.compileQuery\\(', to: '$1executor.compileNode(' },
    { files: '/default-query-executor\\.js', from: '^ {4}compileQuery\\(', to: '    compileNode(' },
  ],
  'KyselyExecutor.executeQuery': [
    { files: '/kysely/dist/', from: 'executor\\.executeQuery\\(', to: 'executor.runQuery(' },
    { files: '/query-executor-base\\.js', from: 'async executeQuery\\(compiledQuery', to: 'async runQuery(compiledQuery' },
  ],
  'OperationNode.kind': [{ files: '/kysely/', from: "'SchemableIdentifierNode'", to: "'QualifiedNameNode'" }],
  'AbstractSqlDriver.connection': [{ files: 'Driver\\.js', from: '(this\\.|^ {4})connection\\b', to: '$1writer' }],
  'AbstractSqlDriver.replicas': [{ files: 'Driver\\.js', from: '(this\\.|^ {4})replicas\\b', to: '$1readers' }],
  'AbstractSqlDriver.metadata': [{ files: 'Driver\\.js', from: '(this\\.|^ {4})metadata\\b', to: '$1entities' }],
  'AbstractSqlDriver.platform': [{ files: 'Driver\\.js', from: '(this\\.|^ {4})platform\\b', to: '$1dialect' }],
  'WrappedEntity.__schema': [{ files: MIKRO_ORM, from: '__schema\\b', to: '__schemaName' }],
  'WrappedEntity.__em': [{ files: MIKRO_ORM, from: '__em\\b', to: '__manager' }],
  'WrappedEntity.__meta': [{ files: MIKRO_ORM, from: '__meta\\b', to: '__metadata' }],
  'WrappedEntity.__initialized': [{ files: MIKRO_ORM, from: '__initialized\\b', to: '__loaded' }],
  'AbstractSqlConnection.options': [{ files: 'Connection\\.js', from: '(this\\.|^ {4})options\\b', to: '$1settings' }],
  'AbstractSqlConnection.type': [{ files: 'Connection\\.js', from: '(this\\.|^ {4})type\\b', to: '$1kind' }],
  // before MikroORM 7.2.5 there is no such method, and what it says is of no account
  'Flush.isTransactionDisabled': [
    { files: MIKRO_ORM, from: 'isTransactionDisabled', to: 'hasNoTransactions' },
    {
      files: '/core/EntityManager\\.js',
      from: 'fork\\.#disableTransactions =$',
      to: 'fork.isWithoutTransactions = fork.#disableTransactions =',
    },
    {
      files: '/unit-of-work/UnitOfWork\\.js',
      from: '= !this\\.#em\\.isInTransaction\\(\\)',
      to: '= !this.#em.isWithoutTransactions && !this.#em.isInTransaction()',
    },
  ],
  'Configuration.getPlatform': [
    { files: MIKRO_ORM, from: 'onfig\\.getPlatform\\(', to: 'onfig.platformOf(' },
    { files: '/utils/Configuration\\.js', from: '^ {4}getPlatform\\(', to: '    platformOf(' },
  ],
  'Pool.Client': [{ files: '/pg-pool/', from: 'this\\.Client\\b', to: 'this.ClientClass' }],
  'Pool.options': [{ files: '/pg-pool/', from: 'this\\.options\\b', to: 'this.settings' }],
  'Client.processID': [{ files: '/pg/lib/client', from: 'this\\.processID', to: 'this.pid' }],
  'Client.connection': [{ files: '/pg/lib/client', from: '(this|self)\\.connection\\b', to: '$1.wire' }],
};

const YARGS = '/yargs/build/lib/[\\w-]+\\.js';

/** The same of what the command line uses of yargs, and commands that it keeps in another place than where it shows them. */
export const COMMAND_LINE_RENAMES: Readonly<Record<string, readonly Rewrite[]>> = {
  'Argv.getInternalMethods': [{ files: YARGS, from: 'getInternalMethods', to: 'internals' }],
  'ArgvInternals.getCommandInstance': [{ files: YARGS, from: '\\bgetCommandInstance', to: 'commandInstance' }],
  'CommandInstance.getCommandHandlers': [{ files: YARGS, from: '\\bgetCommandHandlers', to: 'listHandlers' }],
  'CommandHandler.builder': [
    { files: YARGS, from: 'commandHandler\\.builder', to: 'commandHandler.build' },
    { files: YARGS, from: 'builder: builder \\|\\| \\{\\}', to: 'builder, build: builder || {}' },
  ],
  'CommandHandler.handler': [
    { files: YARGS, from: 'commandHandler\\.handler', to: 'commandHandler.run' },
    { files: YARGS, from: '^( +)handler,$', to: '$1handler, run: handler,' },
  ],
};
