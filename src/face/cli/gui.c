#include "face/cli.h"
#include "face/serve/serve.h"

int vmm_cli_gui(const struct vmm_args *args)
{
	return srv_main(args, true);
}
