module lightd

go 1.26.8

require (
	github.com/aymanbagabas/go-udiff v0.4.1 // the unified diffs of lightd diff
	github.com/cespare/xxhash/v2 v2.3.0 // ETags, and the positions of console text
	github.com/coder/websocket v1.8.15 // fixed: the WebSocket
	github.com/containerd/errdefs v1.0.0 // the classes of the engine client's errors
	github.com/containerd/errdefs/pkg v0.3.0 // tests: errors of an engine by their HTTP status
	github.com/creack/pty v1.1.24 // tests: a terminal
	github.com/dgraph-io/badger/v4 v4.9.6 // fixed: the database
	github.com/dgraph-io/ristretto/v2 v2.2.0 // the types of Badger's tables, to examine a damaged database
	github.com/distribution/reference v0.6.0 // image references, as Docker parses them
	github.com/docker/docker v28.5.2+incompatible // fixed: the client of the engine
	github.com/docker/go-connections v0.8.2 // the port types of the engine client's interface
	github.com/docker/go-units v0.5.0 // sizes, as Docker writes them
	github.com/gin-gonic/gin v1.12.0 // fixed: the routes of the interface
	github.com/go-json-experiment/json v1.27.2 // JSON that refuses unknown and repeated names
	github.com/google/nftables v0.3.0 // the firewall of containers
	github.com/klauspost/compress v1.20.4 // zstd archives of the files of volumes
	github.com/mdlayher/netlink v1.7.3-0.20250113171957-fbb4dce95f42 // whether the firewall's rules have changed; nftables rests on it
	github.com/moby/sys/mountinfo v0.7.3 // the mount table of the host
	github.com/prometheus/client_golang v1.25.0 // the metrics
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // tests: answers against the OpenAPI document
	github.com/spf13/cobra v1.10.2 // the command line
	github.com/spf13/pflag v1.0.10 // the command line's flags
	go.opentelemetry.io/otel v1.47.0 // traces: attributes, and the header traceparent
	go.opentelemetry.io/otel/exporters/otlp/otlptrace v1.47.0 // traces: spans as OTLP has them
	go.opentelemetry.io/otel/sdk v1.47.0 // traces: spans, sampling, batches
	go.opentelemetry.io/otel/trace v1.47.0 // traces: the interface of spans
	go.opentelemetry.io/proto/otlp v1.11.1 // traces: the messages of OTLP
	go.uber.org/goleak v1.3.0 // tests: goroutines that outlive their owner
	go.yaml.in/yaml/v3 v3.0.6 // manifests and configuration, with line numbers
	golang.org/x/sync v0.24.0 // semaphores and groups of goroutines
	golang.org/x/sys v0.49.0 // system calls: locks, mounts, disk space
	golang.org/x/term v0.47.0 // raw mode and size of a terminal
	golang.org/x/time v0.15.0 // rate limits
	google.golang.org/protobuf v1.36.12 // traces: the encoding of OTLP
	k8s.io/apimachinery v0.37.2 // wait.Backoff, and ages as kubectl writes them
	k8s.io/client-go v0.37.2 // fixed: the work queue, and JSONPath as kubectl takes it
	pgregory.net/rapid v1.3.0 // tests: random histories
)

require (
	github.com/Azure/go-ansiterm v0.0.0-20250102033503-faa5f7b0171c // indirect
	github.com/BurntSushi/toml v1.4.1-0.20240526193622-a339e1f7089c // indirect
	github.com/Microsoft/go-winio v0.6.2 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/bytedance/gopkg v0.1.3 // indirect
	github.com/bytedance/sonic v1.15.0 // indirect
	github.com/bytedance/sonic/loader v0.5.0 // indirect
	github.com/cloudwego/base64x v0.1.6 // indirect
	github.com/containerd/log v0.2.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.6 // indirect
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/felixge/httpsnoop v1.1.0 // indirect
	github.com/gin-contrib/sse v1.1.0 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/go-playground/validator/v10 v10.30.1 // indirect
	github.com/goccy/go-json v0.10.5 // indirect
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/google/flatbuffers v25.2.10+incompatible // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/klauspost/cpuid/v2 v2.3.0 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/mdlayher/socket v0.5.0 // indirect
	github.com/moby/docker-image-spec v1.3.1 // indirect
	github.com/moby/sys/atomicwriter v0.1.0 // indirect
	github.com/moby/term v0.5.2 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.3-0.20250322232337-35a7c28c31ee // indirect
	github.com/morikuni/aec v1.1.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/pelletier/go-toml/v2 v2.2.4 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/quic-go/quic-go v0.59.0 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/twitchyliquid64/golang-asm v0.15.1 // indirect
	github.com/ugorji/go/codec v1.3.1 // indirect
	go.mongodb.org/mongo-driver/v2 v2.5.0 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp v0.72.0 // indirect
	go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp v1.47.0 // indirect
	go.opentelemetry.io/otel/log v1.47.0 // indirect
	go.opentelemetry.io/otel/metric v1.47.0 // indirect
	golang.org/x/arch v0.22.0 // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	gotest.tools/v3 v3.5.2 // indirect
	honnef.co/go/tools v0.8.2 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
	k8s.io/utils v0.0.0-20260626114624-be93311217bd // indirect
)

tool honnef.co/go/tools/cmd/staticcheck

// What gin imports and lightd never calls is kept out of the binary: hack/unused.
replace (
	github.com/go-playground/validator/v10 => ./hack/unused/validator
	github.com/goccy/go-yaml => ./hack/unused/go-yaml
	github.com/pelletier/go-toml/v2 => ./hack/unused/go-toml
	github.com/quic-go/quic-go => ./hack/unused/quic-go
	go.mongodb.org/mongo-driver/v2 => ./hack/unused/mongo-driver
)
