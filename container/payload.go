package container

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"nspawnkit/machined"
)

// searchPath is the $PATH of the payload.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// notifySocket is where the container's init finds the supervisor, as the Container Interface says.
const notifySocket = "/run/host/notify"

// initPrograms are tried in this order when booting.
func initPrograms() []string {
	return []string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"}
}

func decidePayload(p *Plan, host *Host) error {
	s := &p.Settings
	inside := &p.Inside
	inside.WorkingDirectory = s.Exec.WorkingDirectory
	parameters := s.Exec.Parameters
	switch {
	case s.Exec.Boot:
		inside.Candidates = initPrograms()
		inside.Arguments = append([]string{inside.Candidates[0]}, initArguments(parameters)...)
	case len(parameters) > 0:
		inside.Candidates = programs(parameters[0])
		inside.Arguments = parameters
	default:
		inside.Candidates = []string{"/bin/bash", "/bin/sh"}
		inside.Arguments = []string{"-bash"} // a login shell
		if inside.WorkingDirectory == "" {
			inside.WorkingDirectory = "/root"
		}
	}
	inside.LoginTerminal = s.Exec.Boot && host.Root.KnowsColors
	inside.Environment = environment(p, host)
	return nil
}

// initArguments leaves out the parameters that init gets as environment variables: NAME=VALUE without a dot in NAME
// (systemd-nspawn(1), --boot).
func initArguments(parameters []string) []string {
	return slices.DeleteFunc(slices.Clone(parameters), isVariable)
}

func isVariable(parameter string) bool {
	name, _, found := strings.Cut(parameter, "=")
	return found && name != "" && !strings.Contains(name, ".")
}

// programs returns where execvp(3) would look for a program.
func programs(name string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	var paths []string
	for _, directory := range strings.Split(searchPath, ":") {
		paths = append(paths, path.Join(directory, name))
	}
	return paths
}

// environment returns what "Environment" in the Container Interface (https://systemd.io/CONTAINER_INTERFACE) and
// systemd-nspawn(1) promise the payload. The container_uuid is added when the supervisor knows it.
func environment(p *Plan, host *Host) []string {
	variables := []string{
		"PATH=" + searchPath, "container=" + p.Inside.Service, "HOME=/root", "USER=root", "LOGNAME=root",
		"NOTIFY_SOCKET=" + notifySocket,
	}
	if p.unprivileged() { // whose name and home are not known yet
		variables = slices.DeleteFunc(variables, func(v string) bool {
			return strings.HasPrefix(v, "HOME=") || strings.HasPrefix(v, "USER=") || strings.HasPrefix(v, "LOGNAME=")
		})
	}
	variables = append(variables, terminalEnvironment(p, host)...)
	if !p.Settings.Exec.Boot {
		variables = append(variables, "LANG=C.UTF-8")
	}
	if p.Inside.Credentials {
		variables = append(variables, "CREDENTIALS_DIRECTORY="+credentialsDirectory)
	}
	pid := 1
	if p.Settings.Exec.ProcessTwo {
		pid = 2
	}
	if p.Watchdog > 0 && p.Settings.Exec.NotifyReady { // who says that it is ready may say that it lives, too
		variables = append(variables, machined.WatchdogTime(p.Watchdog), fmt.Sprintf("WATCHDOG_PID=%d", pid))
	}
	if sockets := p.Options.Sockets; sockets.Count > 0 {
		variables = append(variables, fmt.Sprintf("LISTEN_FDS=%d", sockets.Count), fmt.Sprintf("LISTEN_PID=%d", pid))
		if sockets.Names != "" {
			variables = append(variables, "LISTEN_FDNAMES="+sockets.Names)
		}
	}
	for _, field := range []string{"ID", "BUILD_ID", "VARIANT_ID", "VERSION_ID"} {
		if value := host.OSRelease[field]; value != "" {
			variables = append(variables, "container_host_"+strings.ToLower(field)+"="+value)
		}
	}
	if p.Settings.Exec.Boot {
		for _, parameter := range p.Settings.Exec.Parameters {
			if isVariable(parameter) {
				name, value, _ := strings.Cut(parameter, "=")
				variables = setVariable(variables, strings.ReplaceAll(name, "-", "_")+"="+value)
			}
		}
	}
	for _, assignment := range p.Settings.Exec.Environment {
		variables = setVariable(variables, assignment)
	}
	return variables
}

func hasVariable(variables []string, name string) bool {
	return slices.ContainsFunc(variables, func(variable string) bool { return strings.HasPrefix(variable, name+"=") })
}

// terminalEnvironment passes on what the supervisor's terminal can do, and what its user likes, if it is the payload's, too.
func terminalEnvironment(p *Plan, host *Host) []string {
	given := host.Terminal.Variables
	if !p.Inside.Console || given["TERM"] == "" {
		given = map[string]string{"TERM": "dumb"} // programs are not to guess a terminal
	}
	var variables []string
	for _, name := range []string{"TERM", "COLORTERM", "NO_COLOR"} {
		if value := given[name]; value != "" {
			variables = append(variables, name+"="+value)
		}
	}
	return variables
}

func setVariable(variables []string, assignment string) []string {
	name, _, _ := strings.Cut(assignment, "=")
	for i, variable := range variables {
		if strings.HasPrefix(variable, name+"=") {
			variables[i] = assignment
			return variables
		}
	}
	return append(variables, assignment)
}

// Identify fills in the machine ID that the container gets, 32 hexadecimal digits, once it is known.
func (p *Plan) Identify(uuid string) {
	p.UUID, p.Inside.UUID = uuid, formatUUID(uuid)
	p.Inside.Environment = setVariable(p.Inside.Environment, "container_uuid="+p.Inside.UUID)
}

func formatUUID(id string) string {
	if len(id) != 32 {
		return id
	}
	return fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
}

// ParseOSRelease reads os-release(5).
func ParseOSRelease(data []byte) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			fields[name] = strings.Trim(value, `"'`)
		}
	}
	return fields
}
