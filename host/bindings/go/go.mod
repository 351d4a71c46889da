module hookbox

go 1.25
