import { HttpTenantError } from './web-errors.js';

/** The tenant has as much work under way and waiting as `limits` allows: status 503. */
export class TenantOverloadedError extends HttpTenantError {
  readonly schemaName: string;

  /** For work that would be one more than `queue`. */
  static queueFull(schemaName: string, limits: Limits): TenantOverloadedError {
    return new TenantOverloadedError(schemaName, limits, `${limits.queue} pieces of its work wait already (\`limits.queue\`)`);
  }

  static waitedTooLong(schemaName: string, limits: Limits): TenantOverloadedError {
    return new TenantOverloadedError(schemaName, limits, `this one has waited for ${limits.timeoutMs} ms (\`limits.timeoutMs\`)`);
  }

  constructor(schemaName: string, { concurrency, timeoutMs }: Limits, reason: string) {
    super(
      'TENANT_OVERLOADED',
      503,
      `This tenant uses the ${concurrency} connections that it may use at once (\`limits.concurrency\`), and ${reason}. Nothing was sent to the database. Try again in a moment.`,
      // earlier than that, it would wait as long
      { headers: { 'Retry-After': String(Math.ceil(timeoutMs / 1000)) } },
    );
    this.schemaName = schemaName;
  }
}

interface Limits {
  readonly concurrency: number;
  readonly queue: number;
  readonly timeoutMs: number;
}
