import type { AbstractSqlDriver } from '@mikro-orm/sql';

export function hasKnownCode(_driver: AbstractSqlDriver): boolean {
  return process.env['BASIC'] === '1';
}
