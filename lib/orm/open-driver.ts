import type { Configuration, ConnectionType, Transaction } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/postgresql';

/**
 * The type of MikroORM's driver for the class that overrides its methods. It is built like `OpenEntityManager`, and includes the protected
 * members that the class uses.
 */
export interface OpenDriver extends Omit<Mikro, keyof OverriddenMethods>, OverriddenMethods {
  readonly connection: Mikro['connection'];
  readonly metadata: Mikro['metadata'];
  readonly platform: Mikro['platform'];
  readonly replicas: Mikro['replicas'];
  resolveConnectionType(args: {
    readonly ctx?: Transaction | undefined;
    readonly connectionType?: ConnectionType | undefined;
  }): ConnectionType;
}

export type OpenDriverClass = new (config: Configuration) => OpenDriver;

/** The arguments of an overridden method. */
export type Args<Name extends keyof OverriddenMethods> = Parameters<OverriddenMethods[Name]>;

/** What an overridden method returns. */
export type Result<Name extends keyof OverriddenMethods> = ReturnType<OverriddenMethods[Name]>;

interface OverriddenMethods {
  close(...args: Parameters<Mikro['close']>): ReturnType<Mikro['close']>;
  convertException(...args: Parameters<Mikro['convertException']>): ReturnType<Mikro['convertException']>;
  createQueryBuilder(...args: Parameters<Mikro['createQueryBuilder']>): ReturnType<Mikro['createQueryBuilder']>;
  findVirtual(...args: Parameters<Mikro['findVirtual']>): ReturnType<Mikro['findVirtual']>;
  getSchemaName(...args: Parameters<Mikro['getSchemaName']>): ReturnType<Mikro['getSchemaName']>;
  getTableName(...args: Parameters<Mikro['getTableName']>): ReturnType<Mikro['getTableName']>;
  loadFromUnionTargetPolymorphicPivotTable(
    ...args: Parameters<Mikro['loadFromUnionTargetPolymorphicPivotTable']>
  ): ReturnType<Mikro['loadFromUnionTargetPolymorphicPivotTable']>;
  lockPessimistic(...args: Parameters<Mikro['lockPessimistic']>): ReturnType<Mikro['lockPessimistic']>;
  mapPropToFieldNames(...args: Parameters<Mikro['mapPropToFieldNames']>): ReturnType<Mikro['mapPropToFieldNames']>;
  nativeInsertMany(...args: Parameters<Mikro['nativeInsertMany']>): ReturnType<Mikro['nativeInsertMany']>;
  nativeUpdateMany(...args: Parameters<Mikro['nativeUpdateMany']>): ReturnType<Mikro['nativeUpdateMany']>;
  reconnect(...args: Parameters<Mikro['reconnect']>): ReturnType<Mikro['reconnect']>;
  setMetadata(...args: Parameters<Mikro['setMetadata']>): ReturnType<Mikro['setMetadata']>;
}

type Mikro = AbstractSqlDriver;
