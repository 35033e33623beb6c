import { MetadataError, type EntityMetadata } from '@mikro-orm/core';
import { TenantConfigError } from '../errors/index.js';

/**
 * Has MikroORM say what a tenant entity without a primary key lacks: a wrapped config, which gives it one. In a config that is not wrapped,
 * nothing else of this library is called.
 */
export function explainMissingKeysOf(TenantMixin: { readonly prototype: object }): void {
  const fromMissingPrimaryKey = MetadataError.fromMissingPrimaryKey.bind(MetadataError);

  MetadataError.fromMissingPrimaryKey = (meta: EntityMetadata) =>
    meta.class?.prototype instanceof (TenantMixin as Function)
      ? (TenantConfigError.notWrapped(meta.className) as Error as MetadataError)
      : fromMissingPrimaryKey(meta);
}
