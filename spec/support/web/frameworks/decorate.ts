/** What decorators do, where the compiler knows those of the standard only. */
export function decorate(
  Class: { readonly prototype: object },
  own: readonly ClassDecorator[],
  methods: Readonly<Record<string, readonly MethodDecorator[]>>,
): void {
  for (const [name, decorators] of Object.entries(methods)) {
    decorators.forEach(each => each(Class.prototype, name, Object.getOwnPropertyDescriptor(Class.prototype, name) as PropertyDescriptor));
  }

  own.forEach(each => each(Class as never));
}

export function decorateParameters(Class: { readonly prototype: object }, method: string, decorators: readonly ParameterDecorator[]): void {
  decorators.forEach((each, index) => each(Class.prototype, method, index));
}
