// Package metrics counts what the daemon does, and shows what it has, in the exposition format of
// Prometheus.
//
// What happens is counted when it does: Metrics has a method for each hook of the packages below, none
// of which knows Prometheus. What there is, is read from memory when somebody asks; see State.
//
// No label holds the id of a container, a name that a client chooses, or text of an error, unless the
// operator asks for that: each set of labels is bounded by the program, or by the configuration.
//
// # Metrics
//
// GET /metrics answers in the format of Prometheus, for a token with the scope read that is for all
// containers. Put it into a file for Prometheus (authorization: credentials_file). These
// are of the node; none has the id of a container:
//
//	lightd_build_info                      the version, and that of Go
//	lightd_containers                      by state
//	lightd_container_conditions            by type, status and reason
//	lightd_containers_drifted              by kind: see "lightd docs drift"
//	lightd_events_total                    of the journal, by type
//	lightd_restarts_total                  of processes, by cause
//	lightd_reconcile_duration_seconds      by result
//	lightd_step_duration_seconds           by step and result
//	lightd_engine_up                       1 while Docker answers
//	lightd_engine_since_seconds            for how long it is as it is
//	lightd_engine_call_duration_seconds    by call and result
//	lightd_database_commit_seconds         until a commit is on disk
//	lightd_database_bytes                  of the files of the database
//	lightd_node_cordoned                   1 while it is cordoned
//	lightd_node_drained                    1 once a drain is over
//	lightd_disk_free_bytes                 of the data directory
//	lightd_ports                           of the pool: free or in_use
//	lightd_volumes                         how many there are
//	lightd_volume_bytes                    of all that were measured
//	lightd_websocket_clients               of all WebSockets
//	lightd_console_dropped_bytes_total     for clients that were slow
//	lightd_webhook_lag_events              events not delivered yet
//	lightd_webhook_failures                in a row, until a success
//	lightd_webhook_missed_total            gone before the delivery
//	lightd_webhook_last_delivery_seconds   when, since 1970
//	workqueue_*                            as Kubernetes names them
//	go_*, process_*                        of the process
//
// With "metrics: {per_container: true}" in the configuration there is each container by its id too:
//
//	lightd_container_state                 1 for its state
//	lightd_container_attention             with the summary that says why
//	lightd_container_restarts_total
//	lightd_container_cpu_cores             as of the last 15 s
//	lightd_container_memory_bytes
//	lightd_container_memory_limit_bytes    0 where it has no limit
//	lightd_container_network_receive_bytes_total
//	lightd_container_network_transmit_bytes_total
//	lightd_container_block_read_bytes_total
//	lightd_container_block_write_bytes_total
//	lightd_container_volume_bytes
//
// hack/prometheus has alerts and a dashboard for Grafana. Alerts on containers have the annotation
// "containers": with per_container, it is the summary of each that somebody should look at, as
// "web: cannot be installed (since ...". A template of Alertmanager shows it by
// {{ .Annotations.containers }}. "promtool test rules alerts_test.yaml" has each alert fire.
//
// Whether checks of health pass is a condition: lightd_container_conditions{type="Healthy"}.
//
// GET /debug/pprof/ has the profiles of the process, for a token with the scope admin:
//
//	curl -H "Authorization: Bearer $(lightd token show)" \
//	  http://127.0.0.1:8070/debug/pprof/heap > heap
//	go tool pprof -top heap
package metrics

import _ "embed"

// Doc is this file: the package comment is the reference of the metrics.
//
//go:embed doc.go
var Doc string
