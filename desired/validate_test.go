package desired

import (
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testRules = Rules{AllowedMounts: []string{"/srv", "/data/shared"}}

func validSpec() Spec {
	s := DefaultSpec()
	s.InternalID = "my-server-001"
	s.Image = "ubuntu:22.04"
	s.VolumeID = "d6764075-c5f1-4045-9fb3-85315b85cb0f"
	s.StartupCommand = "bash -c 'sleep 1'"
	s.StartPattern = `Listening on port \d+`
	s.Ports = []Port{{IP: "0.0.0.0", Port: 25565, Protocol: TCP}}
	s.Limits = Limits{Memory: 512 << 20, CPU: 1, Swap: 1 << 20, PIDs: 100}
	s.Mount = map[string]Mount{"/custom": {Source: "/srv/game"}}
	s.Env = map[string]string{"A": "multi\nline", "EMPTY": ""}
	s.Labels = map[string]string{"team": "a b"}
	s.User = "1000:1000"
	return s
}

func TestValidate(t *testing.T) {
	port := func(ip string, port int, protocol Protocol) Port { return Port{IP: ip, Port: port, Protocol: protocol} }
	tests := map[string]struct {
		change func(*Spec)
		fields []string // of the errors; none for a valid spec
	}{
		"as it is":                   {func(*Spec) {}, nil},
		"id of 63":                   {func(s *Spec) { s.InternalID = strings.Repeat("a", 63) }, nil},
		"id of 64":                   {func(s *Spec) { s.InternalID = strings.Repeat("a", 64) }, []string{"internal_id"}},
		"id that climbs":             {func(s *Spec) { s.InternalID = "../x" }, []string{"internal_id"}},
		"id with a final line break": {func(s *Spec) { s.InternalID = "a\n" }, []string{"internal_id"}},
		"id of look-alikes":          {func(s *Spec) { s.InternalID = "аbc" }, []string{"internal_id"}},
		"no image":                   {func(s *Spec) { s.Image = "" }, []string{"image"}},
		"image is an option":         {func(s *Spec) { s.Image = "-v" }, []string{"image"}},
		"image with a blank":         {func(s *Spec) { s.Image = "a b" }, []string{"image"}},
		"image is a URL":             {func(s *Spec) { s.Image = "http://example.com/a" }, []string{"image"}},
		"image with a bad digest":    {func(s *Spec) { s.Image = "a@sha256:12" }, []string{"image"}},
		"image by digest":            {func(s *Spec) { s.Image = "a@sha256:" + strings.Repeat("a", 64) }, nil},
		"image is an id":             {func(s *Spec) { s.Image = strings.Repeat("a", 64) }, []string{"image"}},
		"no volume":                  {func(s *Spec) { s.VolumeID = "" }, []string{"volume_id"}},
		"blank command":              {func(s *Spec) { s.StartupCommand = " \n" }, []string{"startup_command"}},
		"command with NUL":           {func(s *Spec) { s.StartupCommand = "a\x00" }, []string{"startup_command"}},
		"command too long":           {func(s *Spec) { s.StartupCommand = strings.Repeat("a", maxStartup+1) }, []string{"startup_command"}},
		"slow pattern elsewhere":     {func(s *Spec) { s.StartPattern = "(a+)+$" }, nil},
		"bad pattern":                {func(s *Spec) { s.StartPattern = "(" }, []string{"start_pattern"}},
		"backreference":              {func(s *Spec) { s.StartPattern = `(a)\1` }, []string{"start_pattern"}},
		"long pattern":               {func(s *Spec) { s.StartPattern = strings.Repeat("a", 513) }, []string{"start_pattern"}},
		"long script":                {func(s *Spec) { s.InstallScript = strings.Repeat("a", maxScript+1) }, []string{"install_script"}},
		"no memory limit":            {func(s *Spec) { s.Limits.Memory, s.Limits.Swap = 0, 0 }, nil},
		"swap without memory":        {func(s *Spec) { s.Limits.Memory = 0 }, []string{"limits.swap"}},
		"little memory":              {func(s *Spec) { s.Limits.Memory = 6<<20 - 1 }, []string{"limits.memory"}},
		"negative memory":            {func(s *Spec) { s.Limits.Memory = -1 }, []string{"limits.memory"}},
		"absurd memory and swap":     {func(s *Spec) { s.Limits.Memory, s.Limits.Swap = math.MaxInt64, math.MaxInt64 }, []string{"limits.memory", "limits.swap"}},
		"more cpu than cores":        {func(s *Spec) { s.Limits.CPU = 65536 }, nil},
		"more cpu than there is":     {func(s *Spec) { s.Limits.CPU = 65536.5 }, []string{"limits.cpu"}},
		"next to no cpu":             {func(s *Spec) { s.Limits.CPU = 0.001 }, []string{"limits.cpu"}},
		"cpu not a number":           {func(s *Spec) { s.Limits.CPU = math.NaN() }, []string{"limits.cpu"}},
		"cpu without end":            {func(s *Spec) { s.Limits.CPU = math.Inf(1) }, []string{"limits.cpu"}},
		"negative cpu":               {func(s *Spec) { s.Limits.CPU = -1 }, []string{"limits.cpu"}},
		"no pids":                    {func(s *Spec) { s.Limits.PIDs = -1 }, []string{"limits.pids"}},
		"port to be assigned":        {func(s *Spec) { s.Ports = []Port{port("", 0, TCP)} }, nil},
		"port too high":              {func(s *Spec) { s.Ports = []Port{port("0.0.0.0", 65536, TCP)} }, []string{"ports[0].port"}},
		"negative ports":             {func(s *Spec) { s.Ports[0].Port, s.Ports[0].ContainerPort = -1, -1 }, []string{"ports[0].container_port", "ports[0].port"}},
		"bad address and protocol":   {func(s *Spec) { s.Ports = []Port{port("x", 1, "sctp")} }, []string{"ports[0].ip", "ports[0].protocol"}},
		"address with a zone":        {func(s *Spec) { s.Ports = []Port{port("fe80::1%eth0", 1, TCP)} }, []string{"ports[0].ip"}},
		"same port, other protocol":  {func(s *Spec) { s.Ports = append(s.Ports, port("0.0.0.0", 25565, UDP)) }, nil},
		"same endpoint twice":        {func(s *Spec) { s.Ports = append(s.Ports, s.Ports[0]) }, []string{"ports[1]"}},
		"wildcard overlaps":          {func(s *Spec) { s.Ports = append(s.Ports, port("127.0.0.1", 25565, TCP)) }, []string{"ports[1]"}},
		"wildcard of IPv6 overlaps":  {func(s *Spec) { s.Ports = append(s.Ports, port("::", 25565, TCP)) }, []string{"ports[1]"}},
		"host_port beside another":   {func(s *Spec) { s.Ports = []Port{{IP: "0.0.0.0", Port: 1, HostPort: 2}} }, []string{"ports[0].host_port"}},
		"two to one container port": {func(s *Spec) {
			s.Ports = []Port{{IP: "0.0.0.0", Port: 1, Protocol: TCP, ContainerPort: 80}, {IP: "0.0.0.0", Port: 2, Protocol: TCP, ContainerPort: 80}}
		}, nil},
		"mount over the root":        {func(s *Spec) { s.Mount = map[string]Mount{"/": {Source: "/srv"}} }, []string{"mount./"}},
		"mount over the volume":      {func(s *Spec) { s.Mount = map[string]Mount{"/home/container": {Source: "/srv"}} }, []string{"mount./home/container"}},
		"mount below our data":       {func(s *Spec) { s.Mount = map[string]Mount{"/app/data/x": {Source: "/srv"}} }, []string{"mount./app/data/x"}},
		"mount beside our data":      {func(s *Spec) { s.Mount = map[string]Mount{"/app/database": {Source: "/srv"}} }, nil},
		"mount over accounts":        {func(s *Spec) { s.Mount = map[string]Mount{"/etc/passwd": {Source: "/srv/p"}} }, []string{"mount./etc/passwd"}},
		"mount over proc":            {func(s *Spec) { s.Mount = map[string]Mount{"/proc/1": {Source: "/srv"}} }, []string{"mount./proc/1"}},
		"target not clean":           {func(s *Spec) { s.Mount = map[string]Mount{"/a/../b": {Source: "/srv"}} }, []string{"mount"}},
		"target with a colon":        {func(s *Spec) { s.Mount = map[string]Mount{"/a:ro": {Source: "/srv"}} }, []string{"mount"}},
		"relative target":            {func(s *Spec) { s.Mount = map[string]Mount{"a": {Source: "/srv"}} }, []string{"mount"}},
		"source beside the allowed":  {func(s *Spec) { s.Mount = map[string]Mount{"/a": {Source: "/srv-evil"}} }, []string{"mount./a"}},
		"source that climbs":         {func(s *Spec) { s.Mount = map[string]Mount{"/a": {Source: "/srv/../etc"}} }, []string{"mount./a"}},
		"source is the allowed":      {func(s *Spec) { s.Mount = map[string]Mount{"/a": {Source: "/srv"}} }, nil},
		"source of a second place":   {func(s *Spec) { s.Mount = map[string]Mount{"/a": {Source: "/data/shared/x"}} }, nil},
		"source above the allowed":   {func(s *Spec) { s.Mount = map[string]Mount{"/a": {Source: "/data"}} }, []string{"mount./a"}},
		"environment without a key":  {func(s *Spec) { s.Env = map[string]string{"": "x"} }, []string{"env"}},
		"environment key with =":     {func(s *Spec) { s.Env = map[string]string{"A=B": "x"} }, []string{"env"}},
		"environment key, two lines": {func(s *Spec) { s.Env = map[string]string{"A\nB": "x"} }, []string{"env"}},
		"environment value with NUL": {func(s *Spec) { s.Env = map[string]string{"A": "\x00"} }, []string{"env.A"}},
		"environment too large":      {func(s *Spec) { s.Env = map[string]string{"A": strings.Repeat("x", 200<<10)} }, []string{"env.A"}},
		"labels that are too long": {func(s *Spec) {
			s.Labels = map[string]string{}
			for i := range 9 {
				s.Labels[string(rune('a'+i))] = strings.Repeat("x", maxLabelValue)
			}
		}, []string{"labels"}},
		"label of ours":              {func(s *Spec) { s.Labels = map[string]string{"lightd.id": "x"} }, []string{"labels.lightd.id"}},
		"label key with =":           {func(s *Spec) { s.Labels = map[string]string{"a=b": "x"} }, []string{"labels"}},
		"unknown signal":             {func(s *Spec) { s.Stop.Signal = "SIGFOO" }, []string{"stop.signal"}},
		"signal by a bad number":     {func(s *Spec) { s.Stop.Signal = "65" }, []string{"stop.signal"}},
		"number of a frozen process": {func(s *Spec) { s.Stop.Signal = "19" }, []string{"stop.signal"}},
		"signal of the image":        {func(s *Spec) { s.Stop.Signal = "" }, nil},
		"key that ends nothing":      {func(s *Spec) { s.Stop.Command = "^Z" }, []string{"stop.command"}},
		"signal that does not exist": {func(s *Spec) { s.Stop.Command = "^SIGFOO" }, []string{"stop.command"}},
		"signal that ends nothing":   {func(s *Spec) { s.Stop.Signal = "SIGSTOP" }, []string{"stop.signal"}},
		"patience too long":          {func(s *Spec) { s.Stop.Timeout = Duration(11 * time.Minute) }, []string{"stop.timeout"}},
		"negative patience":          {func(s *Spec) { s.Stop.Timeout = -1 }, []string{"stop.timeout"}},
		"unknown choices": {func(s *Spec) {
			s.Power, s.Restart, s.ImagePolicy, s.ImagePull, s.QuotaExceeded = "on", "", "x", "Always", "kill"
		}, []string{"image_policy", "image_pull", "power", "quota_exceeded", "restart"}},
		"user by name with group":     {func(s *Spec) { s.User = "steam:games" }, nil},
		"user with an empty group":    {func(s *Spec) { s.User = "steam:" }, []string{"user"}},
		"user number too large":       {func(s *Spec) { s.User = "2147483648" }, []string{"user"}},
		"user with a third part":      {func(s *Spec) { s.User = "a:b:c" }, []string{"user"}},
		"all that is wrong, at once":  {func(s *Spec) { s.Image, s.User, s.StartPattern = "", ":", "(" }, []string{"image", "start_pattern", "user"}},
		"too many ports":              {func(s *Spec) { s.Ports = make([]Port, maxPorts+1) }, []string{"ports"}},
		"zero spec: nothing panics":   {func(s *Spec) { *s = Spec{} }, []string{"image", "image_policy", "image_pull", "internal_id", "power", "quota_exceeded", "restart", "startup_command", "volume_id"}},
		"negative swap":               {func(s *Spec) { s.Limits.Swap = -2 }, []string{"limits.swap"}},
		"swap without limit":          {func(s *Spec) { s.Limits.Memory, s.Limits.Swap = 64<<20, UnlimitedSwap }, nil},
		"swap without any limit":      {func(s *Spec) { s.Limits.Memory, s.Limits.Swap = 0, UnlimitedSwap }, []string{"limits.swap"}},
		"reservation":                 {func(s *Spec) { s.Limits.Memory, s.Limits.Swap, s.Limits.MemoryReservation = 0, 0, 64<<20 }, nil},
		"reservation beyond memory":   {func(s *Spec) { s.Limits.Memory, s.Limits.MemoryReservation = 64<<20, 65<<20 }, []string{"limits.memory_reservation"}},
		"little reservation":          {func(s *Spec) { s.Limits.MemoryReservation = 1 }, []string{"limits.memory_reservation"}},
		"weight":                      {func(s *Spec) { s.Limits.IOWeight = 10 }, nil},
		"little weight":               {func(s *Spec) { s.Limits.IOWeight = 9 }, []string{"limits.io_weight"}},
		"much weight":                 {func(s *Spec) { s.Limits.IOWeight = 1001 }, []string{"limits.io_weight"}},
		"no kill for memory":          {func(s *Spec) { s.Limits.Memory, s.Limits.OOMDisable = 64<<20, true }, nil},
		"no kill without memory":      {func(s *Spec) { s.Limits.Memory, s.Limits.Swap, s.Limits.OOMDisable = 0, 0, true }, []string{"limits.oom_disable"}},
		"no CPUs":                     {func(s *Spec) { s.Limits.CPUSet = "x" }, []string{"limits.cpuset"}},
		"longest line of a terminal":  {func(s *Spec) { s.Stop.Command = strings.Repeat("a", MaxTerminalLine) }, nil},
		"line that a terminal cuts":   {func(s *Spec) { s.Stop.Command = strings.Repeat("a", MaxTerminalLine+1) }, []string{"stop.command"}},
		"the same without a terminal": {func(s *Spec) { s.TTY, s.Stop.Command = false, strings.Repeat("a", MaxTerminalLine+1) }, nil},
		"text that is not UTF-8":      {func(s *Spec) { s.Stop.Command = "\xff" }, []string{"stop.command"}},
		"label value of many lines":   {func(s *Spec) { s.Labels = map[string]string{"a": "x\ny"} }, nil},
		"multicast address for a tcp": {func(s *Spec) { s.Ports = []Port{port("224.0.0.1", 1, TCP)} }, []string{"ports[0].ip"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := validSpec()
			test.change(&s)
			err := s.Normalize().Validate(testRules)
			var fields []string
			var invalid *ValidationError
			if errors.As(err, &invalid) {
				for _, f := range invalid.Fields {
					fields = append(fields, f.Field)
				}
			}
			if !reflect.DeepEqual(fields, test.fields) {
				t.Errorf("errors on %v, want on %v: %v", fields, test.fields, err)
			}
		})
	}
}

func TestNormalize(t *testing.T) {
	s := Spec{
		Ports: []Port{{HostPort: 80}, {IP: "::FFFF:127.0.0.1", Port: 81, HostPort: 81, Protocol: "UDP", ContainerPort: 8}, {IP: "2001:DB8:0::1", Port: 82}, {}},
		Stop:  Stop{Signal: "term"},
	}
	got := s.Normalize()
	want := Spec{
		Ports: []Port{
			{IP: "0.0.0.0", Port: 80, Protocol: TCP, ContainerPort: 80}, {IP: "127.0.0.1", Port: 81, Protocol: UDP, ContainerPort: 8},
			{IP: "2001:db8::1", Port: 82, Protocol: TCP, ContainerPort: 82}, {Protocol: TCP},
		},
		Mount: map[string]Mount{}, Tmpfs: map[string]string{}, Env: map[string]string{}, Labels: map[string]string{},
		Limits: Limits{PIDs: DefaultPIDs}, Stop: Stop{Signal: "SIGTERM"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if again := got.Normalize(); !reflect.DeepEqual(again, got) {
		t.Errorf("twice is not once: %+v", again)
	}
	if s.Ports[0].IP != "" {
		t.Error("the original was changed")
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("id", "image", "cmd", "a+", "0.0.0.0", 80, "/t", "/srv/x", "k", "v", "u:g", 1.5, int64(7<<20))
	f.Fuzz(func(t *testing.T, id, image, command, pattern, ip string, port int, target, source, key, value, user string, cpu float64, memory int64) {
		s := validSpec()
		s.InternalID, s.Image, s.StartupCommand, s.StartPattern, s.User = id, image, command, pattern, user
		s.Ports = []Port{{IP: ip, Port: port}, {IP: value, Port: port, Protocol: Protocol(key)}}
		s.Mount = map[string]Mount{target: {Source: source}}
		s.Env, s.Labels = map[string]string{key: value}, map[string]string{key: value}
		s.Limits.CPU, s.Limits.Memory, s.Stop.Signal = cpu, memory, key
		n := s.Normalize()
		first := n.Validate(testRules)
		if second := n.Normalize().Validate(testRules); (first == nil) != (second == nil) {
			t.Errorf("valid or not depends on normalising twice: %v, %v", first, second)
		}
		if first == nil && (strings.ContainsAny(key, "=\n\x00") || strings.Contains(target, "..") && !strings.HasPrefix(filepath.Clean(target), target)) {
			t.Errorf("let through: key %q, target %q", key, target)
		}
	})
}
