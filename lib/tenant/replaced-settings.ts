import type { Configuration } from '@mikro-orm/core';
import type { AnyConfig } from './options.js';

/**
 * The settings of a wrapped config that something else has taken the place of, as in `MikroORM.init({ ...wrapped, driver: PostgreSqlDriver })`.
 * Without them the guards are never called, so `em.find(Book)` would read the table of that name in the public schema.
 */
export function replacedSettings(config: Configuration<any, any>, wrapped: AnyConfig): string[] {
  const { discovery = {}, subscribers = [] } = wrapped;
  const used = config.getAll();
  const usedSubscribers = [...used.subscribers] as unknown[];
  const isKept: Readonly<Record<string, boolean>> = {
    driver: used.driver === wrapped.driver || used.driver?.prototype instanceof (wrapped.driver as never),
    entityManager:
      used.entityManager === wrapped.entityManager || used.entityManager?.prototype instanceof (wrapped.entityManager as never),
    hydrator: used.hydrator === wrapped.hydrator || used.hydrator?.prototype instanceof (wrapped.hydrator as never),
    subscribers: [...subscribers].slice(-2).every(each => usedSubscribers.includes(each)),
    discovery: used.discovery.onMetadata === discovery.onMetadata && used.discovery.afterDiscovered === discovery.afterDiscovered,
  };

  return Object.keys(isKept)
    .filter(name => isKept[name] === false)
    .map(
      name =>
        `\`${name}\` was set after the config was wrapped, in the place of what keeps tenants apart. Set it in the config that you give to withTenants().`,
    );
}
