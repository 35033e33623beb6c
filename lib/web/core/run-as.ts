import { RoutingError } from '../../errors/index.js';
import { heldScopeOf, publicScope } from '../../scope/make-scope.js';
import { PublicIdentification, TenantIdentification, type Identification } from './identification.js';

/**
 * Runs `fn` in the scope of who was identified: the tenant's, or the public one. The scope is that of a request: it has a fork of its own, and
 * `fn` is in it until what it returns has settled. Work that `fn` begins and does not await stays in it too.
 *
 * @throws HttpTenantError what the visitor is told, if nothing is served.
 */
export function runAs<Result>(identification: Identification, fn: () => Result): Result {
  if (identification instanceof TenantIdentification) {
    const { tenancy } = identification;

    return tenancy.enter(heldScopeOf(tenancy.rules, identification), () => fn());
  }

  if (identification instanceof PublicIdentification) {
    const { tenancy } = identification;

    return tenancy.enter(publicScope(tenancy.rules), () => fn());
  }

  throw 'error' in identification ? identification.error : RoutingError.notIdentified();
}
