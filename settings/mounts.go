package settings

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// addBind takes SOURCE[:DESTINATION[:OPTIONS]] of --bind= and --bind-ro=.
func addBind(s *Settings, v value, readOnly bool) error {
	bind := Bind{Origin: v.origin, ReadOnly: readOnly, Recursive: true, IDMap: "noidmap"}
	source, rest, hasDestination, err := cutEscaped(v.text)
	if err != nil {
		return err
	}
	destination, options, hasOptions, err := cutEscaped(rest)
	if err != nil {
		return err
	}
	if !hasDestination {
		destination = strings.TrimPrefix(source, "+")
	}
	if bind.Source, err = bindSource(source, v); err != nil {
		return err
	}
	if bind.Destination, err = mountPoint(destination); err != nil {
		return err
	}
	if hasOptions {
		if err := bind.setOptions(options); err != nil {
			return err
		}
	}
	s.Files.Binds = append(s.Files.Binds, bind)
	return nil
}

// bindSource checks the source of a bind mount. A relative one has a meaning on the command line only.
func bindSource(source string, v value) (string, error) {
	if source == "" && v.text == "" {
		return "", errEmpty
	} else if source == "" {
		return "", unsupported("an empty source (a temporary directory)")
	}
	p, inRoot := strings.CutPrefix(source, "+")
	if inRoot {
		if err := checkPath(p); err != nil {
			return "", err
		}
		return "+" + path.Clean(p), nil
	}
	if v.fromOption() && !path.IsAbs(p) {
		return p, checkText(p)
	}
	if err := checkPath(p); err != nil {
		return "", err
	}
	return path.Clean(p), nil
}

// mountPoint checks a path inside the container. The root directory itself is no mount point here.
func mountPoint(p string) (string, error) {
	if err := checkPath(p); err != nil {
		return "", err
	}
	if p = path.Clean(p); p == "/" {
		return "", unsupported("mounting over the root directory")
	}
	return p, nil
}

// setOptions takes the comma-separated options of a bind mount.
func (b *Bind) setOptions(options string) error {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "rbind":
			b.Recursive = true
		case "norbind":
			b.Recursive = false
		case "noidmap", "idmap", "rootidmap", "owneridmap":
			b.IDMap = option
		case "":
		default:
			return fmt.Errorf("unknown mount option %s", printable(option))
		}
	}
	return nil
}

// addTemporaryFileSystem takes PATH[:OPTIONS] of --tmpfs=.
func addTemporaryFileSystem(s *Settings, v value) error {
	if v.text == "" {
		return errEmpty
	}
	p, options, _, err := cutEscaped(v.text)
	if err != nil {
		return err
	}
	if p, err = mountPoint(p); err != nil {
		return err
	}
	if err := checkText(options); err != nil {
		return err
	}
	if options == "" {
		options = "mode=0755"
	}
	s.Files.TemporaryFileSystem = append(s.Files.TemporaryFileSystem, TemporaryFileSystem{v.origin, p, options})
	return nil
}

// setBridge takes the name of an existing bridge.
func setBridge(s *Settings, v value) error {
	if err := checkInterface(v.text); err != nil {
		return err
	}
	s.Network.Bridge = v.text
	return nil
}

// setZone takes a zone, the name of whose bridge is that of the zone behind "vz-".
func setZone(s *Settings, v value) error {
	if v.text == "" {
		return errEmpty
	}
	if len(v.text) > len("vz-")*4 {
		return errors.New("zone name is longer than 12 bytes")
	}
	if err := checkInterface("vz-" + v.text); err != nil {
		return errors.New("not a valid zone name")
	}
	s.Network.Zone = v.text
	return nil
}

// addVirtualEthernetExtra takes HOST[:CONTAINER] of --network-veth-extra=.
func addVirtualEthernetExtra(s *Settings, v value) error {
	if v.text == "" {
		return errEmpty
	}
	host, inside, _ := strings.Cut(v.text, ":")
	if inside == "" {
		inside = host
	}
	if err := checkInterface(host); err != nil {
		return err
	}
	if err := checkInterface(inside); err != nil {
		return err
	}
	s.Network.VirtualEthernetExtra = append(s.Network.VirtualEthernetExtra, VirtualEthernetExtra{v.origin, host, inside})
	return nil
}

// addPort takes [PROTOCOL:]HOST[:CONTAINER] of --port=.
func addPort(s *Settings, v value) error {
	port := Port{Origin: v.origin, Protocol: "tcp"}
	rest := v.text
	if protocol, after, found := strings.Cut(v.text, ":"); found && (protocol == "tcp" || protocol == "udp") {
		port.Protocol, rest = protocol, after
	}
	host, inside, found := strings.Cut(rest, ":")
	if !found {
		inside = host
	}
	var err error
	if port.Host, err = parsePort(host); err != nil {
		return err
	}
	if port.Container, err = parsePort(inside); err != nil {
		return err
	}
	for _, other := range s.Network.Ports {
		if other.Protocol == port.Protocol && other.Host == port.Host {
			return fmt.Errorf("host port %s:%d is already used at %s", port.Protocol, port.Host, other.Origin)
		}
	}
	s.Network.Ports = append(s.Network.Ports, port)
	return nil
}

// parsePort takes a port number from 1 to 65535.
func parsePort(text string) (uint16, error) {
	n, err := parseUint(text, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s is not a port from 1 to 65535", printable(text))
	}
	return uint16(n), nil
}
