import { createParamDecorator } from '@nestjs/common';
import { currentTenant } from '../../api/run-in.js';

/**
 * The tenant of the request or message, as a parameter of a handler: `list(@CurrentTenant() tenant: Client)`. Undefined in the public scope. No
 * EntityManager of the request manages it, so changes to it are not stored. To change the tenant, load it.
 */
export const CurrentTenant: () => ParameterDecorator = createParamDecorator(() => currentTenant());
