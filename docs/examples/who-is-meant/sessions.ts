import { assertSameTenant, boundToTenant, isSameTenant, tenantContext } from '@landlord/mikro-orm';
import { jwtVerify, SignJWT } from 'jose';
import Koa from 'koa';
import session from 'koa-session';

const secret = new TextEncoder().encode(process.env['JWT_SECRET'] ?? 'only for development');

// #region token
export async function signIn(userId: number): Promise<string> {
  return new SignJWT({ ...boundToTenant({ sub: String(userId) }) })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(secret);
}

export async function userOf(token: string): Promise<number> {
  const { payload } = await jwtVerify(token, secret);
  return Number(assertSameTenant(payload).sub);
}
// #endregion token

// #region session
export const app = new Koa();
app.keys = [process.env['SESSION_KEY'] ?? 'only for development'];
app.use(tenantContext());
app.use(
  session(
    {
      valid: (_ctx, value) => isSameTenant(value),
      beforeSave: (_ctx, value) => void Object.assign(value, boundToTenant({})),
    },
    app as never,
  ),
);
// #endregion session
