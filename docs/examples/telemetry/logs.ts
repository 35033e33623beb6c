import { tenantFields, tenantMixin } from '@landlord/mikro-orm';
import { pino, type DestinationStream, type Logger } from 'pino';

// #region pino
export function createLogger(destination?: DestinationStream): Logger {
  return pino({ mixin: tenantMixin() }, destination);
}
// #endregion pino

// #region plain
export function log(message: string, write: (line: string) => void = console.log): void {
  write(JSON.stringify({ ...tenantFields(), message }));
}
// #endregion plain
