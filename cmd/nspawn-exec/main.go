// Command nspawn-exec runs a whole operating system in a container: a drop-in for systemd-nspawn(1).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"nspawnkit/container"
	"nspawnkit/container/capability"
	"nspawnkit/container/kernel"
	"nspawnkit/machined"
	"nspawnkit/settings"
)

// version is set by the build.
var version = "unknown"

func init() {
	// The container's first process dies with the thread that started it, and executes the payload from the thread that
	// changed its namespaces: both must be the main thread, which only init can be sure to run on.
	runtime.LockOSThread()
}

func main() {
	switch os.Args[0] {
	case kernel.StageName:
		_ = container.RunFirst() // the supervisor was told
		os.Exit(1)
	case kernel.KeeperName:
		kernel.KeepTerminal()
		return
	}
	os.Exit(run())
}

// run returns the exit status: the payload's, or 1 if there was none (systemd-nspawn(1), "EXIT STATUS").
func run() int {
	log := newLogger()
	notifier, err := machined.NewNotifier(os.Getenv)
	if err != nil {
		log.print(container.Warning, err.Error())
	}
	fail := func(err error) int {
		log.print(container.Error, err.Error())
		_ = notifier.Notify(machined.Status(err.Error()))
		return 1
	}
	cmd, err := settings.ParseCommandLine(os.Args[1:], os.Environ()...)
	if err != nil {
		return fail(err)
	}
	log.quiet = cmd.Quiet
	switch {
	case cmd.Help:
		fmt.Print(settings.Help("nspawn-exec"))
		return 0
	case cmd.Version:
		fmt.Println("nspawnkit", version)
		return 0
	case cmd.ListCapabilities:
		for number := range capability.LastKnown + 1 {
			fmt.Println(capability.Name(number))
		}
		return 0
	case cmd.ListConsoles:
		for _, mode := range settings.ConsoleModes() {
			fmt.Println(mode)
		}
		return 0
	case os.Geteuid() != 0:
		return fail(errors.New("needs to be run as root"))
	case cmd.Cleanup:
		tree := treeToClean(&cmd)
		if err := container.Cleanup(cmd.MachineName(), tree, stackImages(&cmd)...); err != nil {
			return fail(err)
		}
		return 0
	}
	status, err := start(&cmd, notifier, log)
	if err != nil {
		return max(fail(err), status)
	}
	return status
}

// start runs the container that is asked for, or prints how it would.
func start(cmd *settings.CommandLine, notifier machined.Notifier, log *logger) (status int, err error) {
	r, images, err := openRequest(cmd, notifier, log)
	caught := catchSignals() // only from here on: who is asked for the password of an image must be able to interrupt
	var plan *container.Plan
	if err == nil {
		plan, err = r.decide(images, log)
	}
	if err != nil || cmd.DryRun {
		err = errors.Join(err, images.Close())
	}
	if err != nil {
		return 1, err
	}
	if cmd.DryRun {
		printSteps(plan)
		return 0, nil
	}
	return runContainer(plan, images, <-caught, notifier, log)
}

func runContainer(plan *container.Plan, images *container.Images, signals <-chan os.Signal, notifier machined.Notifier, log *logger) (int, error) {
	supervisor := container.NewSupervisor(plan, images, notifier, log.print)
	if err := supervisor.Start(); err != nil {
		supervisor.Close()
		return 1, err
	}
	end, err := supervisor.Watch(signals)
	supervisor.Close()
	if err == nil && end.Reboot && !plan.Options.KeepUnit {
		// A fresh program is a fresh start: nothing of the old container can be left over.
		_ = os.Setenv(suffixVariable, plan.Options.Suffix)
		if err = kernel.KeepSockets(plan.Options.Sockets.Count); err == nil {
			err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
		}
	}
	return end.Status, err
}

// catchSignals takes the signals for [container.Supervisor.Watch], and then sends their channel. The runtime needs 0.4 ms for it, so
// another thread does it.
func catchSignals() <-chan (<-chan os.Signal) {
	caught := make(chan (<-chan os.Signal), 1)
	go func() {
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGWINCH)
		if !signal.Ignored(syscall.SIGHUP) { // nohup(1)
			signal.Notify(signals, syscall.SIGHUP)
		}
		signal.Ignore(syscall.SIGPIPE)
		caught <- signals
	}()
	return caught
}

func printSteps(plan *container.Plan) {
	for _, list := range plan.Steps() {
		for _, step := range list.Steps {
			fmt.Printf("%-10s %s\n", list.Name, step)
		}
	}
}
