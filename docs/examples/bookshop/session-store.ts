import { currentSchema, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';

// #region store
const SessionSchema = defineEntity({
  name: 'Session',
  schema: '*', // in the tenant's own schema
  properties: { id: p.string().primary(), data: p.json().$type<object>(), expiresAt: p.datetime() },
});

export class Session extends SessionSchema.class {}
SessionSchema.setClass(Session);

/** A store for koa-session. A session id of another tenant is not found here. */
export const sessionStore = (em: TenantEntityManager) => ({
  get: async (id: string): Promise<object | undefined> => (await em.fork().findOne(Session, { id, expiresAt: { $gt: new Date() } }))?.data,
  set: async (id: string, data: object, maxAge: number | 'session' | undefined): Promise<void> => {
    const expiresAt = new Date(Date.now() + (typeof maxAge === 'number' ? maxAge : 86_400_000));
    await em.fork().upsert(Session, { id, data, expiresAt });
  },
  destroy: async (id: string): Promise<void> => void (await em.fork().nativeDelete(Session, { id })),
});
// #endregion store

// #region cache
/** A cache that all tenants share, such as Redis, needs the tenant in every key. */
export const cacheKey = (key: string): string => `${currentSchema() ?? 'none'}:${key}`;
// #endregion cache
