/**
 * Every key of the Compose specification and what becomes of it, in one table. The compiler
 * checks each file against it, and docs/compose.md is printed from it.
 *
 * Source: Compose specification (compose-spec/compose-spec, 2025). `*` stands for a name that the
 * file chooses, `**` for anything beneath, `[]` for the items of a list. Begin reading at `table`.
 */

/**
 * - `yes`: means what the specification says.
 * - `partly`: some values are refused or ignored, each with its own sentence; the note says which.
 * - `ignored`: a warning; the service means the same without it.
 * - `refused`: an error, since leaving it out would change what the service means.
 */
export type Standing = "yes" | "partly" | "ignored" | "refused";

export type Key = { readonly path: string; readonly standing: Standing; readonly note: string };

/** path, standing, note; parted by two blanks or more. */
export const table = `
name                              yes      the stack, unless the command names one
version                           yes      means nothing since 2020; any value is fine
include                           refused  give each file to the command with -f
models                            refused  run the model as a service of its own
services                          yes
services.*                        yes      a DNS label: a-z, 0-9 and "-"
services.*.annotations            ignored  runtimes get no annotations
services.*.attach                 ignored  \`shoal logs\` shows what you ask for
services.*.blkio_config           ignored  disk weights are not set: the disk is shared evenly
services.*.build                  partly   ignored beside an image; alone it is refused
services.*.build.**               yes
services.*.cap_add                yes
services.*.cap_drop               yes
services.*.cgroup                 ignored  containers get a cgroup namespace as the engine sees fit
services.*.cgroup_parent          yes
services.*.command                yes
services.*.configs                refused  bind a file, or put the text into the environment
services.*.container_name         ignored  containers are named after their task; use the service's
services.*.cpu_count              ignored  for Windows; use deploy.resources.limits.cpus
services.*.cpu_percent            ignored  for Windows; use deploy.resources.limits.cpus
services.*.cpu_period             ignored  use deploy.resources.limits.cpus
services.*.cpu_quota              ignored  use deploy.resources.limits.cpus
services.*.cpu_rt_period          ignored  no real-time scheduling
services.*.cpu_rt_runtime         ignored  no real-time scheduling
services.*.cpu_shares             ignored  CPU is shared evenly
services.*.cpus                   yes      as deploy.resources.limits.cpus, which wins
services.*.cpuset                 ignored  tasks run on any CPU of their node
services.*.credential_spec        refused  for Windows domains
services.*.depends_on             partly   order and conditions are not kept; restart is ignored
services.*.depends_on.**          yes
services.*.deploy                                         yes
services.*.develop                ignored  only means something to \`docker compose watch\`
services.*.device_cgroup_rules    refused  name the devices instead
services.*.devices                partly   host:container:permissions; CDI names are refused
services.*.devices[].source       yes
services.*.devices[].target       yes
services.*.devices[].permissions  yes
services.*.dns                    yes      instead of the mesh's own: its names are not known then
services.*.dns_opt                yes
services.*.dns_search             yes
services.*.domainname             yes
services.*.driver_opts            refused  it belongs to a network driver
services.*.entrypoint             yes
services.*.env_file               yes
services.*.env_file[].format      partly   only "raw" and the usual one
services.*.env_file[].path        yes
services.*.env_file[].required    yes
services.*.environment            partly   Swarm's {{.Node.…}} templates are refused
services.*.environment.**         yes
services.*.expose                 yes
services.*.extends                partly   a service of the same files; others are refused
services.*.extends.service        yes
services.*.extends.file           refused  give the file to the command with -f
services.*.external_links         refused  publish a port, or put the other service into the mesh
services.*.extra_hosts            yes
services.*.extra_hosts.**         yes
services.*.gpus                   refused  GPUs are not handed out
services.*.group_add              yes
services.*.healthcheck            yes
services.*.hostname               partly   Swarm's {{.Node.…}} templates are refused
services.*.image                  yes
services.*.init                   yes
services.*.ipc                    partly   "service:…" and "container:…" are refused
services.*.isolation              ignored  for Windows; for partitions: x-shoal.isolation
services.*.label_file             yes
services.*.labels                 yes      of containers; deploy.labels are the service's
services.*.labels.**              yes
services.*.links                  partly   ignored without an alias; an alias is refused
services.*.log_driver             refused  the old form of logging.driver
services.*.log_opt                refused  the old form of logging.options
services.*.logging                yes
services.*.logging.driver         yes
services.*.logging.options        yes
services.*.logging.options.**     yes
services.*.mac_address            refused  replicas need one each
services.*.mem_limit              yes      as deploy.resources.limits.memory, which wins
services.*.mem_reservation        yes      as deploy.resources.reservations.memory, which wins
services.*.mem_swappiness         ignored  the host's setting holds
services.*.memswap_limit          ignored  the engine's default holds: as much swap as memory
services.*.models                 refused  run the model as a service of its own
services.*.network_mode           partly   bridge, host, none; "service:…", "container:…" refused
services.*.networks               partly   one flat network: see below
services.*.networks.*                           yes
services.*.oom_kill_disable       ignored  a task out of memory is killed and replaced
services.*.oom_score_adj          yes
services.*.pid                    partly   "host"; "service:…" and "container:…" are refused
services.*.pids_limit             yes      as deploy.resources.limits.pids, which wins
services.*.platform               yes
services.*.ports                  partly   an address to listen on is refused, except "any"
services.*.ports[].app_protocol   yes      means nothing to a TCP proxy
services.*.ports[].host_ip        partly   refused, except "any"
services.*.ports[].mode           yes
services.*.ports[].name           yes      a name for people
services.*.ports[].protocol       yes
services.*.ports[].published      yes
services.*.ports[].target         yes
services.*.post_start             refused  do it in the entrypoint
services.*.pre_start              refused  do it in the entrypoint
services.*.pre_stop               refused  do it on the stop signal
services.*.privileged             yes
services.*.profiles               yes      services of profiles not named are left out
services.*.provider               refused  only containers and processes are run
services.*.pull_policy            partly   always, missing, if_not_present, never; "build" refused
services.*.pull_refresh_after     ignored  pull_policy alone decides
services.*.read_only              yes
services.*.restart                yes      deploy.restart_policy wins; without both: any
services.*.runtime                yes
services.*.scale                  yes      as deploy.replicas, which wins
services.*.secrets                refused  bind a file, or use the environment
services.*.security_opt           yes
services.*.shm_size               yes
services.*.stdin_open             yes
services.*.stop_grace_period      yes
services.*.stop_signal            yes
services.*.storage_opt            ignored  no disk quota
services.*.sysctls                yes
services.*.sysctls.**             yes
services.*.tmpfs                  yes
services.*.tty                    yes
services.*.ulimits                yes
services.*.ulimits.*              yes
services.*.ulimits.*.hard         yes
services.*.ulimits.*.soft         yes
services.*.use_api_socket         refused  bind /var/run/docker.sock
services.*.user                   yes
services.*.userns_mode            yes
services.*.uts                    refused  set a hostname instead
services.*.volumes                partly   see below
services.*.volumes_from           refused  name the volumes in both services
services.*.working_dir            yes

services.*.healthcheck.disable           yes      the image's own check is not run either
services.*.healthcheck.interval          yes      30s unless given
services.*.healthcheck.retries           yes      3 unless given
services.*.healthcheck.start_interval    ignored  checks are frequent until the first success
services.*.healthcheck.start_period      yes
services.*.healthcheck.test              partly   needed when other parts are given
services.*.healthcheck.timeout           yes      30s unless given

services.*.deploy.endpoint_mode                           yes
services.*.deploy.labels                                  yes
services.*.deploy.labels.**                               yes
services.*.deploy.mode                                    partly   the two kinds of job are refused
services.*.deploy.placement                               yes
services.*.deploy.placement.constraints                   partly   node.role: see below
services.*.deploy.placement.max_replicas_per_node         yes
services.*.deploy.placement.preferences                   yes
services.*.deploy.placement.preferences[].spread          yes
services.*.deploy.replicas                                yes
services.*.deploy.resources                               yes
services.*.deploy.resources.limits                        yes
services.*.deploy.resources.limits.cpus                   yes
services.*.deploy.resources.limits.memory                 yes
services.*.deploy.resources.limits.pids                   yes
services.*.deploy.resources.reservations                  yes
services.*.deploy.resources.reservations.cpus             yes
services.*.deploy.resources.reservations.devices          refused  GPUs are not handed out
services.*.deploy.resources.reservations.generic_resources  refused  use a label and a constraint
services.*.deploy.resources.reservations.memory           yes
services.*.deploy.restart_policy                          yes
services.*.deploy.restart_policy.condition                yes
services.*.deploy.restart_policy.delay                    yes
services.*.deploy.restart_policy.max_attempts             yes
services.*.deploy.restart_policy.window                   yes
services.*.deploy.rollback_config                         yes
services.*.deploy.rollback_config.delay                   yes
services.*.deploy.rollback_config.failure_action          yes
services.*.deploy.rollback_config.max_failure_ratio       yes
services.*.deploy.rollback_config.monitor                 yes
services.*.deploy.rollback_config.order                   yes
services.*.deploy.rollback_config.parallelism             yes
services.*.deploy.update_config                           yes
services.*.deploy.update_config.delay                     yes
services.*.deploy.update_config.failure_action            yes
services.*.deploy.update_config.max_failure_ratio         yes
services.*.deploy.update_config.monitor                   yes
services.*.deploy.update_config.order                     yes      see below for the default
services.*.deploy.update_config.parallelism               yes

services.*.volumes[].bind                       yes
services.*.volumes[].bind.create_host_path      ignored  the engine makes a missing directory
services.*.volumes[].bind.propagation           ignored  mounts made on the host later are not seen
services.*.volumes[].bind.recursive             ignored  the engine's default holds
services.*.volumes[].bind.selinux               ignored  no relabelling
services.*.volumes[].consistency                yes      means nothing on Linux
services.*.volumes[].read_only                  yes
services.*.volumes[].source                     yes
services.*.volumes[].target                     yes
services.*.volumes[].tmpfs                      yes
services.*.volumes[].tmpfs.mode                 yes
services.*.volumes[].tmpfs.size                 yes
services.*.volumes[].type                       partly   bind, volume and tmpfs; others are refused
services.*.volumes[].volume                     yes
services.*.volumes[].volume.labels              yes
services.*.volumes[].volume.labels.**           yes
services.*.volumes[].volume.nocopy              ignored  an empty volume takes the image's files
services.*.volumes[].volume.subpath             refused  mount the whole volume

services.*.networks.*.aliases            partly   the service's own name; others are refused
services.*.networks.*.driver_opts        refused  the mesh has one network
services.*.networks.*.gw_priority        ignored  the mesh has one network
services.*.networks.*.interface_name     refused  the mesh has one network
services.*.networks.*.ipv4_address       refused  every task has an address of its own
services.*.networks.*.ipv6_address       refused  every task has an address of its own
services.*.networks.*.link_local_ips     refused  every task has an address of its own
services.*.networks.*.mac_address        refused  replicas need one each
services.*.networks.*.priority           ignored  the mesh has one network

services.*.x-shoal                              yes
services.*.x-shoal.engine                       yes      docker, or process: a command and no image
services.*.x-shoal.health                       yes
services.*.x-shoal.health.liveness              yes      failing it replaces the task
services.*.x-shoal.health.readiness             yes      failing it takes the task out of traffic
services.*.x-shoal.health.readiness.command     yes      a list, or text for a shell
services.*.x-shoal.health.readiness.http        yes
services.*.x-shoal.health.readiness.http.path   yes      "/" unless given
services.*.x-shoal.health.readiness.http.port   yes
services.*.x-shoal.health.readiness.interval    yes      5s unless given
services.*.x-shoal.health.readiness.retries     yes      3 unless given
services.*.x-shoal.health.readiness.start_period  yes
services.*.x-shoal.health.readiness.tcp         yes      a port
services.*.x-shoal.health.readiness.tcp.port    yes
services.*.x-shoal.health.readiness.timeout     yes      2s unless given
services.*.x-shoal.health.liveness.command      yes      a list, or text for a shell
services.*.x-shoal.health.liveness.http         yes
services.*.x-shoal.health.liveness.http.path    yes      "/" unless given
services.*.x-shoal.health.liveness.http.port    yes
services.*.x-shoal.health.liveness.interval     yes      5s unless given
services.*.x-shoal.health.liveness.retries      yes      3 unless given
services.*.x-shoal.health.liveness.start_period  yes
services.*.x-shoal.health.liveness.tcp          yes      a port
services.*.x-shoal.health.liveness.tcp.port     yes
services.*.x-shoal.health.liveness.timeout      yes      2s unless given
services.*.x-shoal.isolation                    yes      run, stay, majority: when a node is cut off
services.*.x-shoal.priority                     yes      higher is placed first; 0 unless given

networks                          partly   ignored: there is one network; see above
networks.*                        yes
networks.*.attachable             yes
networks.*.driver                 partly   bridge and overlay; others are refused
networks.*.driver_opts            ignored  the mesh has one network
networks.*.driver_opts.**         yes
networks.*.enable_ipv4            yes
networks.*.enable_ipv6            ignored  containers have IPv4 addresses
networks.*.external               yes
networks.*.external.**            yes
networks.*.internal               refused  services can reach the world
networks.*.ipam                   ignored  nodes choose the addresses
networks.*.labels                 yes
networks.*.labels.**              yes
networks.*.name                   yes

volumes                           yes      local to a node
volumes.*                         yes
volumes.*.driver                  yes
volumes.*.driver_opts             yes
volumes.*.driver_opts.**          yes
volumes.*.external                yes      the node's volume of that very name
volumes.*.external.name           yes
volumes.*.labels                  yes
volumes.*.labels.**               yes
volumes.*.name                    yes

configs                           yes      no harm while no service uses them
configs.**                        yes
secrets                           yes      no harm while no service uses them
secrets.**                        yes
`;
