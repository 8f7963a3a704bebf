/**
 * What the browser bundles have in place of @assemblyscript/loader: the same `instantiateSync`, without the helpers for
 * managed objects. Only src/build.mjs names this file.
 */

/** As in the loader: instantiate a compiled module now. */
export function instantiateSync<T>(
  module: WebAssembly.Module,
  imports: Record<string, Record<string, unknown>> = {},
): { readonly instance: { readonly exports: T } } {
  return { instance: new WebAssembly.Instance(module, imports) as { readonly exports: T } };
}
