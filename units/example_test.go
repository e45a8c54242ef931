package units_test

import (
	"fmt"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// The settings usually come from settings.Load; here they are written out.
func ExampleGenerate() {
	file := "/etc/systemd/nspawn/web.nspawn"
	web := units.Container{
		Name:   "web",
		Source: file,
		Settings: &settings.Settings{
			Files: settings.Files{Binds: []settings.Bind{{Source: "/srv/www", Destination: "/srv/www"}}},
			Unit:  []settings.Assignment{{Key: "Requires", Value: "db.nspawn"}},
			Service: []settings.Assignment{
				{Key: "MemoryMax", Value: "256M"},
				{Key: "Environment", Value: "HOME=%h", Origin: settings.Origin{File: file, Line: 7}},
			},
			Install: []settings.Assignment{{Key: "WantedBy", Value: "machines.target"}},
		},
	}
	out, problems := units.Generate(web, units.Host{Template: "/usr/lib/systemd/system/systemd-nspawn@.service"})
	for _, file := range out.Files {
		fmt.Printf("%s:\n%s", file.Path, file.Text)
	}
	for _, link := range out.Links {
		fmt.Printf("%s -> %s\n", link.Path, link.Target)
	}
	for _, problem := range problems {
		fmt.Println(problem)
	}
	// Output:
	// systemd-nspawn@web.service.d/05-web.nspawn.conf:
	// # Written by nspawn-generator from /etc/systemd/nspawn/web.nspawn.
	// # Do not edit: the next daemon-reload writes this file anew. Use "systemctl edit" instead.
	//
	// [Unit]
	// SourcePath=/etc/systemd/nspawn/web.nspawn
	// RequiresMountsFor=/srv/www
	// Requires=systemd-nspawn@db.service
	//
	// [Service]
	// MemoryMax=256M
	// machines.target.wants/systemd-nspawn@web.service -> /usr/lib/systemd/system/systemd-nspawn@.service
	// /etc/systemd/nspawn/web.nspawn:7: error: Environment=HOME=%h: the specifier %h has no meaning here (%i %n %H %v %m %% have; %% is a literal %)
}
