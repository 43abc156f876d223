// Access to the HTTP API: start reading at doorkeeper.ts.

export { Audit } from "./audit.ts";
export {
  type AccessPolicy,
  DOOR_REFUSALS,
  Doorkeeper,
  type DoorRefusal,
  forbidden,
  NO_POLICY,
  type RequestEnvironment,
} from "./doorkeeper.ts";
export { documentNeeds, missingRole } from "./permissions.ts";
export { type Principal, type Role, ROLES, TokenFileError, TokenTable } from "./tokens.ts";
