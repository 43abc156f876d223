// Access to the HTTP API: start reading at doorkeeper.ts.

export {
  type AccessPolicy,
  Doorkeeper,
  forbidden,
  NO_POLICY,
  type RequestEnvironment,
} from "./doorkeeper.ts";
export { documentNeeds, missingRole } from "./permissions.ts";
export { type Principal, type Role, ROLES, TokenFileError, TokenTable } from "./tokens.ts";
