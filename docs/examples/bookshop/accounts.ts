import { currentTenant, requireTenant, runInPublic, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { jwtVerify, SignJWT } from 'jose';
import { Client } from './entities.js';

// #region entities
// shared: a person, whatever shops they work for
const AccountSchema = defineEntity({
  name: 'Account',
  properties: { id: p.integer().primary(), email: p.string().unique() },
});

export class Account extends AccountSchema.class {}
AccountSchema.setClass(Account);

// shared: who may work for which shop
const MembershipSchema = defineEntity({
  name: 'Membership',
  properties: {
    account: () => p.manyToOne(Account).primary(),
    client: () => p.manyToOne(Client).primary().deleteRule('cascade'),
    role: p.string(),
  },
});

export class Membership extends MembershipSchema.class {}
MembershipSchema.setClass(Membership);
// #endregion entities

// #region list
/** For the page "Choose a shop". */
export async function shopsOf(accountId: number): Promise<string[]> {
  return runInPublic(async em => {
    const memberships = await em.find(Membership, { account: accountId }, { populate: ['client'], orderBy: { client: { name: 1 } } });

    return memberships.map(({ client }) => client.domainUrl);
  });
}
// #endregion list

// #region check
/** In every request of a tenant: the account is known, and a member here. */
export async function requireRole(em: TenantEntityManager, accountId: number): Promise<string> {
  const membership = await em.findOne(Membership, { account: accountId, client: requireTenant<Client>().id });

  if (membership === null) {
    throw new Error('This account is not a member of this shop.'); // 403
  }

  return membership.role;
}
// #endregion check

// #region ticket
const SECRET = new TextEncoder().encode('a secret of at least 32 bytes, from your environment');

/** On the public host, where the person is signed in: a link to one shop, for a minute. */
export async function linkTo(client: Client, accountId: number): Promise<string> {
  const ticket = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(String(accountId))
    .setAudience(`enter:${client.id}`)
    .setExpirationTime('1m')
    .sign(SECRET);

  return `https://${client.domainUrl}/enter?ticket=${ticket}`;
}

/** On the host of the shop. What follows is a session of this shop. */
export async function enter(em: TenantEntityManager, ticket: string): Promise<number> {
  const { payload } = await jwtVerify(ticket, SECRET, { audience: `enter:${currentTenant<Client>()?.id}`, algorithms: ['HS256'] });
  const accountId = Number(payload.sub);
  await requireRole(em, accountId);

  return accountId;
}
// #endregion ticket
