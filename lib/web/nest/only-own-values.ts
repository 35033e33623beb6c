import { tap, type MonoTypeOperatorFunction } from 'rxjs';
import { CrossTenantError } from '../../errors/index.js';
import { currentScope, innermostScope, type Scope } from '../../scope/scope.js';
import { isSameTenant } from '../../scope/tenant-identity.js';

/**
 * Refuses a value that comes in the scope of another tenant than that of the answer. Whoever calls `next()` of a subject that all tenants share runs
 * the operators of every listener, in its own scope: what they read then is the sender's. Values of the public scope and of none may pass, as no
 * tenant's rows can be read there, and so may those of scopes which the answer's own work has entered.
 */
export function onlyOwnValues<T>(): MonoTypeOperatorFunction<T> {
  const own = innermostScope();

  return tap(() => {
    const sender = own && currentScope(own.config);

    if (sender?.kind === 'tenant' && !isPartOf(sender, own!)) {
      throw CrossTenantError.sentValue(own!.kind === 'tenant' ? own!.schemaName : undefined, sender.schemaName);
    }
  });
}

function isPartOf(sender: Scope, own: Scope): boolean {
  let scope: Scope | undefined = sender;

  while (scope !== undefined && scope !== own) {
    scope = scope.outer;
  }

  return (
    scope === own ||
    (sender.kind === 'tenant' &&
      own.kind === 'tenant' &&
      sender.schemaName === own.schemaName &&
      isSameTenant(sender.identity, own.identity))
  );
}
