export { type ContainerEvent, type FollowOptions } from './container-events';
export { type ContainerState, type InspectedContainer, type SessionContainer } from './containers';
export { Engine } from './engine';
export { type CallOptions, type EngineAddress, type EngineOptions, type RegistryLogin } from './engine-connection';
export { type CommitOptions, type InspectedImage } from './images';
export { type NodeInfo } from './nodes';
export { type SessionSecret } from './secrets';
export { type CreatedService, type ServiceTask } from './services';
export { type SessionServiceOptions, sessionServiceSpec } from './session-service-spec';
