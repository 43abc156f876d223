// The ban on ambient time and randomness, enforced while a simulation runs: the globals throw. What
// reaches for them in spite of the ports would make a run depend on more than its seed.

/** A reach for the real world from inside a simulation. */
export class AmbientAccess extends Error {
  override name = "AmbientAccess";
}

type Members = Record<string, unknown>;

function banned(name: string): (...args: unknown[]) => never {
  return () => {
    throw new AmbientAccess(`${name} was used during a simulation: it must come through a port`);
  };
}

/** Replaces the globals until the returned function is called. */
export function banAmbient(): () => void {
  const undo: (() => void)[] = [];
  const replace = (target: object, owner: string, name: string, value?: unknown) => {
    const members = target as Members;
    const own = Object.getOwnPropertyDescriptor(target, name);
    const label = owner === "" ? name : `${owner}.${name}`;
    Object.defineProperty(members, name, {
      value: value ?? banned(label),
      configurable: true,
      writable: true,
    });
    undo.push(() => {
      if (own === undefined) delete members[name];
      else Object.defineProperty(members, name, own);
    });
  };
  const RealDate = Date;
  const BannedDate = function (this: unknown, ...args: unknown[]) {
    // A date made from numbers is arithmetic; one made from nothing looks at the clock.
    if (new.target === undefined || args.length === 0) return banned("Date")();
    return Reflect.construct(RealDate, args, RealDate);
  };
  Object.assign(BannedDate, { now: banned("Date.now"), UTC: RealDate.UTC, parse: RealDate.parse });
  BannedDate.prototype = RealDate.prototype;
  replace(globalThis, "", "Date", BannedDate);
  for (const name of ["setTimeout", "setInterval", "setImmediate", "fetch"]) {
    replace(globalThis, "", name);
  }
  replace(Math, "Math", "random");
  replace(performance, "performance", "now");
  for (const name of ["getRandomValues", "randomUUID"]) replace(crypto, "crypto", name);
  replace(
    crypto,
    "crypto",
    "subtle",
    new Proxy({}, { get: (_, name) => banned(`crypto.subtle.${String(name)}`) }),
  );
  return () => undo.reverse().forEach((restore) => restore());
}
