export function renderPage(..._args: unknown[]): string { return ""; }
