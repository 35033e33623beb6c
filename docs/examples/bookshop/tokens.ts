import { requireTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { jwtVerify, SignJWT } from 'jose';
import { User, type Client } from './entities.js';

// #region secret
const SECRET = new TextEncoder().encode('a secret of at least 32 bytes, from your environment');
// #endregion secret

// #region unbound
/** Wrong: says which user, and not of which tenant. */
export async function issueUnbound(user: User): Promise<string> {
  return new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject(String(user.id)).setExpirationTime('1h').sign(SECRET);
}

export async function userOfUnbound(em: TenantEntityManager, token: string): Promise<User> {
  const { payload } = await jwtVerify(token, SECRET);

  return em.findOneOrFail(User, Number(payload.sub));
}
// #endregion unbound

// #region bound
/** In the scope of the user's tenant. */
export async function issueToken(user: User): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(String(user.id))
    .setAudience(audience())
    .setExpirationTime('1h')
    .sign(SECRET);
}

/** Throws if the token is of another tenant than the scope. */
export async function userOfToken(em: TenantEntityManager, token: string): Promise<User> {
  const { payload } = await jwtVerify(token, SECRET, { audience: audience(), algorithms: ['HS256'] });

  return em.findOneOrFail(User, Number(payload.sub));
}

/** The key of the tenant, which never changes. Its host and its schema name may. */
function audience(): string {
  return `tenant:${requireTenant<Client>().id}`;
}
// #endregion bound
