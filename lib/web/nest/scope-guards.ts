import { Injectable, NotFoundException, type CanActivate } from '@nestjs/common';
import { innermostScope } from '../../scope/scope.js';

/** Lets requests of tenants pass. Any other gets 404, as if the route did not exist. */
export class TenantGuard implements CanActivate {
  canActivate(): boolean {
    return only('tenant');
  }
}

/** Lets requests of the public scope pass. Any other gets 404, as if the route did not exist. */
export class PublicGuard implements CanActivate {
  canActivate(): boolean {
    return only('public');
  }
}

Injectable()(TenantGuard);
Injectable()(PublicGuard);

function only(kind: 'tenant' | 'public'): boolean {
  if (innermostScope()?.kind !== kind) {
    throw new NotFoundException();
  }

  return true;
}
